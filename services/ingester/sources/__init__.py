"""Where posts come from. `open_source` knows every source by the name that `--source` takes."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from services.common.errors import ConfigurationError
from services.ingester.sources.base import Batch, Malformed, Source
from services.ingester.sources.replay import ReplaySource
from services.ingester.sources.simulate import SimulateSource

__all__ = ["SOURCES", "Batch", "Malformed", "Source", "open_source"]

DEFAULT_PER_MINUTE = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Options:
    file: Path | None
    rate_per_minute: float | None
    seed: int | None


def _simulate(options: _Options) -> Source:
    return SimulateSource(options.rate_per_minute or DEFAULT_PER_MINUTE, options.seed)


def _replay(options: _Options) -> Source:
    if options.file is None:
        raise ConfigurationError("the source replay needs a file of posts; name one with --file")
    return ReplaySource(options.file, options.rate_per_minute)


SOURCES: dict[str, Callable[[_Options], Source]] = {"simulate": _simulate, "replay": _replay}


def open_source(
    name: str, *, file: Path | None = None, rate_per_minute: float | None = None, seed: int | None = None
) -> Source:
    """The source of that name, not yet started; each takes what it needs of the rest.

    Without a rate, a file goes as fast as the stream accepts it, and simulated posts at DEFAULT_PER_MINUTE.
    ConfigurationError says what the source lacks, or which sources there are.
    """
    if name not in SOURCES:
        raise ConfigurationError(f"there is no source {name!r}; known are {', '.join(sorted(SOURCES))}")
    # Written so that NaN is refused, too.
    if rate_per_minute is not None and not 0 < rate_per_minute < math.inf:
        raise ConfigurationError(f"a rate is more than 0 posts per minute, not {rate_per_minute}")
    return SOURCES[name](_Options(file=file, rate_per_minute=rate_per_minute, seed=seed))
