"""Where posts come from. `open_source` knows every source by the name that `--source` takes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.common.errors import ConfigurationError
from services.ingester.sources.base import Batch, Malformed, Source
from services.ingester.sources.bluesky.source import BlueskySource
from services.ingester.sources.filters import Filters
from services.ingester.sources.limited import Limited
from services.ingester.sources.mastodon.source import MastodonSource
from services.ingester.sources.mastodon.statuses import Wanted
from services.ingester.sources.replay import ReplaySource
from services.ingester.sources.simulate import SimulateSource

__all__ = ["SOURCES", "Batch", "Malformed", "Source", "SourceOptions", "open_source"]

DEFAULT_PER_MINUTE = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceOptions:
    """What a source may be told; each takes what it needs.

    Without a rate, a file goes as fast as the stream accepts it, simulated posts come at DEFAULT_PER_MINUTE, and live
    ones as they are written.
    """

    file: Path | None = None
    rate_per_minute: float | None = None
    seed: int | None = None
    languages: Sequence[str] = ()
    keywords: Sequence[str] = ()
    accounts: Sequence[str] = ()
    jetstreams: Sequence[str] = ()
    instance: str = ""
    mastodon_token: str = ""
    reblogs: bool = False
    bots: bool = False


def _simulate(options: SourceOptions) -> Source:
    return SimulateSource(options.rate_per_minute or DEFAULT_PER_MINUTE, options.seed)


def _replay(options: SourceOptions) -> Source:
    if options.file is None:
        raise ConfigurationError("the source replay needs a file of posts; name one with --file")
    return ReplaySource(options.file, options.rate_per_minute)


def _bluesky(options: SourceOptions) -> Source:
    filters = Filters(options.languages, options.keywords)
    return _limited(BlueskySource(filters, options.accounts, options.jetstreams), options)


def _mastodon(options: SourceOptions) -> Source:
    if not options.instance:
        raise ConfigurationError("the source mastodon needs a server; name one with --instance, as mastodon.social")
    wanted = Wanted(Filters(options.languages, options.keywords), reblogs=options.reblogs, bots=options.bots)
    return _limited(MastodonSource(options.instance, wanted, options.mastodon_token), options)


def _limited(source: Source, options: SourceOptions) -> Source:
    return source if options.rate_per_minute is None else Limited(source, options.rate_per_minute)


SOURCES: dict[str, Callable[[SourceOptions], Source]] = {
    "bluesky": _bluesky,
    "mastodon": _mastodon,
    "replay": _replay,
    "simulate": _simulate,
}


def open_source(name: str, options: SourceOptions) -> Source:
    """The source of that name, not yet started. ConfigurationError says what it lacks, or which sources there are."""
    if name not in SOURCES:
        raise ConfigurationError(f"there is no source {name!r}; known are {', '.join(sorted(SOURCES))}")
    rate = options.rate_per_minute
    # Written so that NaN is refused, too.
    if rate is not None and not 0 < rate < math.inf:
        raise ConfigurationError(f"a rate is more than 0 posts per minute, not {rate}")
    return SOURCES[name](options)
