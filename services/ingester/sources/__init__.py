"""Where posts come from. `sources_of` knows every source by the name that `--source` takes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.common.errors import ConfigurationError
from services.ingester.sources.base import Batch, Malformed, Source
from services.ingester.sources.bluesky.source import BlueskySource
from services.ingester.sources.filters import Filters
from services.ingester.sources.hackernews.source import HackerNewsSource
from services.ingester.sources.limited import Limited
from services.ingester.sources.mastodon.source import MastodonSource
from services.ingester.sources.mastodon.statuses import Wanted
from services.ingester.sources.reddit.application import Application
from services.ingester.sources.replay import ReplaySource
from services.ingester.sources.rss.source import FeedSource
from services.ingester.sources.simulate import SimulateSource

__all__ = ["SOURCES", "Batch", "Malformed", "Source", "SourceOptions", "sources_of"]

DEFAULT_PER_MINUTE = 60.0
FEED_INTERVAL_S = 300.0
# Each has a client and a state of its own.
MAX_FEEDS = 200


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
    subreddits: Sequence[str] = ()
    reddit: Application | None = None
    feeds: Sequence[str] = ()
    feed_interval_s: float = FEED_INTERVAL_S


def _simulate(options: SourceOptions) -> list[Source]:
    return [SimulateSource(options.rate_per_minute or DEFAULT_PER_MINUTE, options.seed)]


def _replay(options: SourceOptions) -> list[Source]:
    if options.file is None:
        raise ConfigurationError("the source replay needs a file of posts; name one with --file")
    return [ReplaySource(options.file, options.rate_per_minute)]


def _bluesky(options: SourceOptions) -> list[Source]:
    filters = Filters(options.languages, options.keywords)
    return [_limited(BlueskySource(filters, options.accounts, options.jetstreams), options)]


def _hackernews(options: SourceOptions) -> list[Source]:
    return [_limited(HackerNewsSource(Filters(options.languages, options.keywords)), options)]


def _mastodon(options: SourceOptions) -> list[Source]:
    if not options.instance:
        raise ConfigurationError("the source mastodon needs a server; name one with --instance, as mastodon.social")
    wanted = Wanted(Filters(options.languages, options.keywords), reblogs=options.reblogs, bots=options.bots)
    return [_limited(MastodonSource(options.instance, wanted, options.mastodon_token), options)]


def _reddit(options: SourceOptions) -> list[Source]:
    if not options.subreddits:
        raise ConfigurationError("the source reddit needs subreddits; name each with --subreddit, as worldnews")
    if options.reddit is None:
        raise ConfigurationError(
            "the source reddit needs an application of yours: make one of the type script at "
            "https://www.reddit.com/prefs/apps, and set REDDIT_CLIENT_ID and REDDIT_CLIENT_SECRET"
        )
    if options.languages:
        raise ConfigurationError(
            "reddit does not tell the language of a post; set RULE_LANGUAGES in place of --language"
        )
    # What it stands on takes 12 MB and half a second, which no other ingester shall pay.
    from services.ingester.sources.reddit.source import RedditSource  # noqa: PLC0415 - not loaded where nobody asks for it

    filters = Filters((), options.keywords)
    return [_limited(RedditSource(options.subreddits, options.reddit, filters, bots=options.bots), options)]


def _rss(options: SourceOptions) -> list[Source]:
    """One for each feed, so that one that fails disturbs no other."""
    if not options.feeds:
        raise ConfigurationError("the source rss needs feeds; name each with --feed, as https://news.example/feed.xml")
    if len(options.feeds) > MAX_FEEDS:
        raise ConfigurationError(f"rss: at most {MAX_FEEDS} feeds can be read, not {len(options.feeds)}")
    filters = Filters(options.languages, options.keywords)
    sources = [FeedSource(feed, filters, options.feed_interval_s) for feed in options.feeds]
    if len({source.name for source in sources}) < len(sources):
        raise ConfigurationError("rss: a feed can be named once")
    return [_limited(source, options) for source in sources]


def _limited(source: Source, options: SourceOptions) -> Source:
    return source if options.rate_per_minute is None else Limited(source, options.rate_per_minute)


SOURCES: dict[str, Callable[[SourceOptions], list[Source]]] = {
    "bluesky": _bluesky,
    "hackernews": _hackernews,
    "mastodon": _mastodon,
    "reddit": _reddit,
    "replay": _replay,
    "rss": _rss,
    "simulate": _simulate,
}


def sources_of(name: str, options: SourceOptions) -> list[Source]:
    """The source of that name, of rss one for each feed; not yet started. ConfigurationError says what it lacks, or
    which sources there are.
    """
    if name not in SOURCES:
        raise ConfigurationError(f"there is no source {name!r}; known are {', '.join(sorted(SOURCES))}")
    rate = options.rate_per_minute
    # Written so that NaN is refused, too.
    if rate is not None and not 0 < rate < math.inf:
        raise ConfigurationError(f"a rate is more than 0 posts per minute, not {rate}")
    sources = SOURCES[name](options)
    for source in sources:
        source.health.rate_per_minute = rate
    return sources
