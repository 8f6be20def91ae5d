"""`/api/dead-letters`: posts that were refused; to be read, published again, or thrown away."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request

from services.api.dependencies import Limit, Moment, Source, StateDep, Text
from services.api.schemas.dead_letters import (
    MAX_ID_CHARS,
    Dropped,
    LetterChoice,
    LetterPage,
    LetterSummary,
    Replayed,
    SkippedLetter,
    WholeLetter,
)
from services.api.schemas.general import ErrorBody
from services.api.web.errors import RETRY_AFTER_S, InvalidParameter
from services.api.web.json_body import REFUSALS, described, read_json
from services.common.dead_letters.choosing import by_filter, by_id
from services.common.dead_letters.filters import Filter, place
from services.common.dead_letters.reading import Letter
from services.common.dead_letters.sharded import DeadLetters
from services.common.errors import Transient
from services.common.streams import REDIS

router = APIRouter(tags=["dead letters"])

CONTENT_CHARS = 500
# A thousand letters take a tenth of it.
ANSWER_TIMEOUT_S = 10.0
# Of letters that a filter does not take; the answer says where the next request goes on.
MAX_READ_PER_CALL = 5_000
ERRORS: dict[int | str, dict[str, Any]] = {422: {"model": ErrorBody}, 503: {"model": ErrorBody}}


@router.get("/api/dead-letters", operation_id="listDeadLetters", summary="Dead letters, newest first", responses=ERRORS)
async def list_dead_letters(
    *,
    state: StateDep,
    limit: Limit = 50,
    cursor: Annotated[
        str | None, Query(max_length=MAX_ID_CHARS, description="`next_cursor` of the page before")
    ] = None,
    reason: Annotated[Text | None, Query(max_length=255, examples=["too_long"])] = None,
    source: Source = None,
    post_id: Annotated[Text | None, Query(max_length=255)] = None,
    since: Annotated[Moment | None, Query(description="Buried at or after this time, ISO 8601; UTC by default")] = None,
    before: Annotated[Moment | None, Query(description="Buried before this time")] = None,
) -> LetterPage:
    """Posts that were refused and lines that are no post. A letter is one however often it was refused."""
    dead = DeadLetters(state.redis, state.settings.streams)
    wanted = Filter(reason or None, source or None, post_id or None, since, before)
    if cursor is not None:
        _require_id("cursor", cursor)
    async with _in_time():
        page = await dead.page(wanted, limit=limit, before_id=cursor)
        totals = await dead.count()
    return LetterPage(
        letters=[_summary(letter) for letter in page.letters],
        total=totals.total,
        by_reason=totals.by_reason,
        next_cursor=page.next_id,
    )


@router.get(
    "/api/dead-letters/{letter_id}",
    operation_id="getDeadLetter",
    summary="One dead letter, whole",
    responses={404: {"model": ErrorBody}, **ERRORS},
)
async def get_dead_letter(state: StateDep, letter_id: str) -> WholeLetter:
    _require_id("letter_id", letter_id)
    async with _in_time():
        (letter,) = await DeadLetters(state.redis, state.settings.streams).find([letter_id])
    if letter is None:
        raise HTTPException(404, "There is no such dead letter: it was replayed or dropped, or never was.")
    return WholeLetter(
        **_summary(letter).model_dump() | {"content": letter.content},
        stream_id=letter.stream_id,
        cut=letter.cut or None,
        fields=letter.fields,
    )


@router.post(
    "/api/dead-letters/replay",
    operation_id="replayDeadLetters",
    summary="Publish posts again",
    responses={**REFUSALS, **ERRORS},
    openapi_extra=described(LetterChoice),
)
async def replay_dead_letters(state: StateDep, request: Request) -> Replayed:
    """Asked twice, a post is published once. No more are published than the workers have room for (MAX_STREAM_LAG);
    503 where they have none.
    """
    choice = await read_json(request, LetterChoice)
    dead, settings = DeadLetters(state.redis, state.settings.streams), state.settings
    replayed = gone = 0
    skipped: list[SkippedLetter] = []
    async with _in_time():
        room = await dead.room(settings.redis_consumer_group, settings.max_stream_lag)
        if room < (len(choice.ids) if choice.ids else 1):
            detail = "So many posts wait for the workers that there is no room for more; try again later."
            raise HTTPException(503, detail, {"Retry-After": str(RETRY_AFTER_S)})
        chosen = Chosen(dead, choice, min(choice.limit, room))
        async for letters in chosen.portions():
            outcome = await dead.replay(letters)
            replayed += outcome.replayed
            gone += outcome.gone
            skipped += [SkippedLetter(id=letter.id, obstacle=why) for letter, why in outcome.skipped]
    return Replayed(replayed=replayed, skipped=skipped, gone=gone + chosen.missing, next_cursor=chosen.next_cursor)


@router.post(
    "/api/dead-letters/drop",
    operation_id="dropDeadLetters",
    summary="Throw letters away, for good",
    responses={**REFUSALS, **ERRORS},
    openapi_extra=described(LetterChoice),
)
async def drop_dead_letters(state: StateDep, request: Request) -> Dropped:
    choice = await read_json(request, LetterChoice)
    dead = DeadLetters(state.redis, state.settings.streams)
    chosen = Chosen(dead, choice, choice.limit)
    dropped = gone = 0
    async with _in_time():
        async for letters in chosen.portions():
            ids = [letter.id for letter in letters]
            count = await dead.drop(ids)
            dropped += count
            gone += len(ids) - count
    return Dropped(dropped=dropped, gone=gone + chosen.missing, next_cursor=chosen.next_cursor)


class Chosen:
    """The letters of one request: at most `limit`, found among at most MAX_READ_PER_CALL."""

    def __init__(self, dead: DeadLetters, choice: LetterChoice, limit: int) -> None:
        self._dead = dead
        self._choice = choice
        self._limit = limit
        self.missing = 0
        self.next_cursor: str | None = None

    async def portions(self) -> AsyncIterator[Sequence[Letter]]:
        """Afterwards `missing` and `next_cursor` are known."""
        if self._choice.ids is not None:
            async for portion in by_id(self._dead, self._choice.ids):
                self.missing += portion.read - len(portion.letters)
                yield portion.letters
            return
        after, until = self._choice.bounds(await self._dead.newest_id())
        read = 0
        async for portion in by_filter(
            self._dead, self._choice.filter, after_id=after, until_id=until, limit=self._limit
        ):
            yield portion.letters
            read += portion.read
            self.next_cursor = None if portion.next_id is None else f"{portion.next_id}~{until}"
            if read >= MAX_READ_PER_CALL:
                return


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    """Transient for a Redis that does not answer; what was asked of it may be done, and may be asked again."""
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            yield
    except TimeoutError:
        raise Transient(f"Redis did not answer within {ANSWER_TIMEOUT_S:g} s", service=REDIS) from None


def _summary(letter: Letter) -> LetterSummary:
    return LetterSummary(
        id=letter.id,
        buried_at=letter.buried_at,
        reason=letter.reason,
        error=letter.error,
        deliveries=letter.deliveries,
        post_id=letter.post_id,
        source=letter.source,
        content=letter.content[:CONTENT_CHARS],
        obstacle=letter.obstacle or None,
    )


def _require_id(name: str, text: str) -> None:
    try:
        place(text)
    except ValueError as error:
        raise InvalidParameter(f"{name}: {error}") from None
