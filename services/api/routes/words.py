"""`/api/words/rising`: what people begin to talk about."""

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from services.api.caches import STALE, tell_age
from services.api.dependencies import Limit, Source, StateDep, WindowMinutes
from services.api.queries.sentiment import percentage
from services.api.queries.words import read_samples
from services.api.schemas.general import Counts, ErrorBody, SentimentLabel
from services.api.schemas.words import RisingWord, RisingWords, Sample
from services.api.state import State
from services.api.words.rising import Rise, rising

router = APIRouter(tags=["sentiment"])

MAX_WORDS = 100


@router.get(
    "/api/words/rising",
    operation_id="listRisingWords",
    summary="Words and hashtags on the rise",
    responses={200: {"headers": STALE}, 422: {"model": ErrorBody}, 503: {"model": ErrorBody}},
)
@router.head("/api/words/rising", include_in_schema=False)
async def list_rising_words(
    *,
    state: StateDep,
    response: Response,
    minutes: WindowMinutes = 60,
    source: Source = None,
    kind: Annotated[Literal["all", "words", "hashtags"], Query(description="Which of the two")] = "all",
    sentiment: Annotated[SentimentLabel | None, Query(description="In posts of this sentiment")] = None,
    limit: Limit = 20,
) -> RisingWords:
    """The last `minutes` beside as many before them, from an even sample of at most 2,000 posts of each.

    A word counts once a post, and once an author however often they post. Five posts of the sample have it at least.
    The score is a log-odds ratio with an informative Dirichlet prior, as a z-score (Monroe, Colaresi & Quinn 2008).

    URLs, mentions, numbers and common words are left out. Chinese is counted by pairs of characters; scripts without
    spaces and without such a rule (Thai, Lao, Khmer, Burmese) by what stands between spaces.

    About ten seconds old at most, unless the database is away.
    """
    key = (minutes, source or None, sentiment)
    cached = await state.caches.rising_words.get(key, lambda: _rising(state, *key))
    tell_age(response, cached)
    wanted = [word for word in cached.value.words if kind in ("all", f"{word.kind}s")]
    return cached.value.model_copy(update={"words": wanted[:limit]})


async def _rising(state: State, minutes: int, source: str | None, sentiment: SentimentLabel | None) -> RisingWords:
    current, previous = await read_samples(state.read_pool, minutes, source, sentiment)
    # Tens of milliseconds, in which nobody else would be answered.
    rises, now, before = await asyncio.to_thread(rising, current.posts, previous.posts, MAX_WORDS)
    return RisingWords(
        minutes=minutes,
        source=source,
        sentiment=sentiment,
        sampled=Sample(current=now.posts, previous=before.posts, share=current.share, previous_share=previous.share),
        words=[_word(rise, now.posts, before.posts) for rise in rises],
    )


def _word(rise: Rise, posts: int, posts_before: int) -> RisingWord:
    return RisingWord(
        word=rise.word,
        kind="hashtag" if rise.word.startswith("#") else "word",
        posts=rise.posts,
        share_percent=percentage(rise.posts, posts),
        previous_share_percent=percentage(rise.posts_before, posts_before),
        score=round(rise.score, 2),
        is_new=rise.posts_before == 0,
        sentiment=Counts(
            positive=rise.labels["positive"], negative=rise.labels["negative"], neutral=rise.labels["neutral"]
        ),
    )
