"""`/api/health`: judged by background probes, so that asking costs nothing and cannot hammer anybody."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

from fastapi import APIRouter, Response

from services.api.dependencies import StateDep
from services.api.periodic import Periodic
from services.api.queries.totals import read_stats
from services.api.schemas.general import ConnectionState, Health, Services, Stats
from services.api.state import PROBE_TIMEOUT_S, State
from services.common.errors import Transient

router = APIRouter(tags=["operation"])

NO_STATS = Stats(total_posts=None, total_analyses=None, recent_posts_1h=None)


@router.get(
    "/api/health",
    operation_id="getHealth",
    summary="Whether the service works",
    responses={503: {"model": Health, "description": "The database is away"}},
)
@router.head("/api/health", include_in_schema=False)
async def get_health(state: StateDep, response: Response) -> Health:
    """200 while healthy or degraded, 503 while unhealthy."""
    probes = state.probes
    # Only in the first moments of the process: nothing is known before the first runs.
    with suppress(TimeoutError):
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            asked = (probes.database, probes.redis, probes.triton, state.alerts)
            await asyncio.gather(*(work.first_run.wait() for work in asked))
    services = Services(
        database=_state_of(probes.database), redis=_state_of(probes.redis), triton=_state_of(probes.triton)
    )
    problems = [f"{name} does not answer" for name, value in services if value == "disconnected"]
    problems += [] if state.alerts.ok else ["the alert rule is not being evaluated"]
    if services.database == "disconnected":
        response.status_code = 503
    return Health(
        status="unhealthy" if response.status_code == 503 else "degraded" if problems else "healthy",
        timestamp=datetime.now(UTC),
        services=services,
        stats=await _stats(state) if services.database == "connected" else NO_STATS,
        problems=problems,
    )


def _state_of(probe: Periodic) -> ConnectionState:
    return "connected" if probe.ok else "disconnected"


async def _stats(state: State) -> Stats:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            cached = await state.caches.stats.get((), lambda: read_stats(state.read_pool))
    except (Transient, TimeoutError):
        return NO_STATS
    return cached.value
