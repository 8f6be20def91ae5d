"""A question to the models by somebody who waits for the answer: in turn, with a deadline, and only while they wait.

These turns are not those of requests that need the database: neither waits for the other.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

from fastapi import Request
from starlette.requests import ClientDisconnect

from services.api.asking.turns import Turns
from services.api.state import State
from services.common.errors import Transient
from services.inference.scorer import Cut, Role, Scored
from services.inference.tokenizer import Input

# While the probe says that inference does not work, nobody waits INFERENCE_TIMEOUT_S for what is not there. But it says
# so on a busy machine, too, or when one of two models is away: what answers within this time, does.
AWAY_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Asked:
    """`waited_s`: until its turn came."""

    scored: Scored
    waited_s: float


async def ask(state: State, request: Request, inputs: Sequence[Input], roles: Sequence[Role], cut: Cut | None) -> Asked:
    """The models' scores. `request` must have been read to its end.

    Busy where no turn is to be had in time, ClientDisconnect where the client leaves before it comes; else as
    Scorer.score, and Transient where that takes too long.
    """
    began = perf_counter()
    timeout_s = _timeout_s(state)
    texts = await _take(state.turns, len(inputs), request)
    # Who leaves from here on is answered all the same: what is at Triton is not cancelled, and so has its place.
    try:
        waited_s = perf_counter() - began
        async with asyncio.timeout(timeout_s):
            return Asked(await state.inference.score(inputs, roles, cut), waited_s)
    except TimeoutError:
        raise Transient(f"no answer within {timeout_s:g} s", service="Triton") from None
    finally:
        state.turns.give_back(texts)


def _timeout_s(state: State) -> float:
    probe = state.probes.triton
    is_away = probe.first_run.is_set() and not probe.ok
    return min(AWAY_TIMEOUT_S, state.settings.inference_timeout_s) if is_away else state.settings.inference_timeout_s


async def _take(turns: Turns, texts: int, request: Request) -> int:
    try:
        async with asyncio.timeout(None) as patience:
            leaving = asyncio.create_task(_when_gone(request, lambda: patience.reschedule(0)))
            try:
                return await turns.take(texts)
            finally:
                leaving.cancel()
    except TimeoutError:
        raise ClientDisconnect from None


async def _when_gone(request: Request, leave: Callable[[], None]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    leave()
