"""What one API process keeps of its answers."""

from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from services.api.cache import MAX_STALE_S, Cached, TtlCache
from services.api.queries.posts import Total
from services.api.schemas.counts import SourceList, Totals
from services.api.schemas.general import Counts, Percentages, PostPage, Stats
from services.api.schemas.models import ModelList
from services.api.schemas.words import RisingWords

STALE_HEADER = "X-Undertone-Stale"
STALE = {
    STALE_HEADER: {
        "description": "The database is away, and this is what it said so many seconds ago; absent otherwise",
        "schema": {"type": "integer"},
    }
}


@dataclass(frozen=True)
class Caches:
    """A few seconds each; the keys are the parameters of the request, never the time.

    `aggregates` and `emotion_aggregates` are encoded ones that end now: at most half a megabyte each. `inference` are
    encoded InferenceStatistics by minutes, 30 kB each. `first_pages`
    are asked for anew each time and kept for when the database is away, in few sizes: a hundred posts of the greatest
    length are 16 MB.
    """

    stats: TtlCache[Stats]
    post_totals: TtlCache[Total]
    totals: TtlCache[Totals]
    source_lists: TtlCache[SourceList]
    distributions: TtlCache[tuple[Counts, int, Percentages, dict[str, int]]]
    aggregates: TtlCache[bytes]
    emotion_aggregates: TtlCache[bytes]
    rising_words: TtlCache[RisingWords]
    first_pages: TtlCache[PostPage]
    models: TtlCache[ModelList]
    inference: TtlCache[bytes]


def open_caches() -> Caches:
    return Caches(
        stats=TtlCache(5.0, 1),
        post_totals=TtlCache(5.0),
        totals=TtlCache(2.0, max_stale_s=MAX_STALE_S),
        source_lists=TtlCache(2.0, max_stale_s=MAX_STALE_S),
        distributions=TtlCache(2.0, max_stale_s=MAX_STALE_S),
        aggregates=TtlCache(1.0, 32, max_kept_s=5.0, max_stale_s=MAX_STALE_S),
        emotion_aggregates=TtlCache(1.0, 32, max_kept_s=5.0, max_stale_s=MAX_STALE_S),
        rising_words=TtlCache(10.0, 64, max_stale_s=MAX_STALE_S),
        first_pages=TtlCache(0.0, 2, max_kept_s=0.0, max_stale_s=MAX_STALE_S),
        models=TtlCache(2.0, 1, max_kept_s=2.0),
        inference=TtlCache(1.0, 15, max_kept_s=1.0),
    )


def tell_age(response: Response, cached: Cached[Any]) -> None:
    """Sets the header of an answer that is out of date."""
    if cached.stale:
        response.headers[STALE_HEADER] = str(cached.age_s)
