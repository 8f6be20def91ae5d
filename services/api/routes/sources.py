"""`/api/ingester/sources`: how the sources are doing, and the switch of each. `/api/sources` counts what they gave."""

import time
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Request

from services.api.dependencies import StateDep
from services.api.schemas.general import ErrorBody
from services.api.schemas.sources import IngesterSource, IngesterSources, SourceSwitch
from services.api.state import State
from services.api.web.json_body import REFUSALS, described, read_json
from services.common.source_states import SourceState, SourceStore

router = APIRouter(tags=["sources"])

ERRORS: dict[int | str, dict[str, Any]] = {422: {"model": ErrorBody}, 503: {"model": ErrorBody}}
# An ingester says every second how it is doing; its clock may be another one by some seconds.
GONE_AFTER_S = 15.0
# The address of a feed, behind the name of its ingester.
MAX_NAME_CHARS = 2_100
# The last second that a datetime can hold.
MAX_EPOCH_S = 253_402_300_799.0


@router.get(
    "/api/ingester/sources",
    operation_id="listIngesterSources",
    summary="How the sources are doing",
    responses={503: ERRORS[503]},
)
@router.head("/api/ingester/sources", include_in_schema=False)
async def list_sources(state: StateDep) -> IngesterSources:
    """Every source that an ingester was ever started with, as it was a second ago."""
    store = _store(state)
    states = await store.read_states()
    off = await store.switched_off([each.name for each in states])
    now_s = time.time()
    return IngesterSources(sources=[_source(each, now_s, enabled=each.name not in off) for each in states])


@router.patch(
    "/api/ingester/sources/{name:path}",
    operation_id="switchSource",
    summary="Switch a source on or off",
    responses={**REFUSALS, 404: {"model": ErrorBody, "description": "There is no such source"}, **ERRORS},
    openapi_extra=described(SourceSwitch),
)
async def switch_source(
    state: StateDep,
    name: Annotated[str, Path(min_length=1, max_length=MAX_NAME_CHARS, description="Slashes may stand in it")],
    request: Request,
) -> IngesterSource:
    """Its ingester obeys within seconds, and so does every later one. Switched on again, a source goes on where it was,
    as far as its server keeps what was missed.
    """
    wanted = await read_json(request, SourceSwitch)
    store = _store(state)
    found = [each for each in await store.read_states() if each.name == name]
    if not found:
        raise HTTPException(404, "No ingester has a source of this name; GET /api/ingester/sources has all names.")
    await store.switch(name, on=wanted.enabled)
    return _source(found[0], time.time(), enabled=wanted.enabled)


def _store(state: State) -> SourceStore:
    return SourceStore(state.redis, state.settings.redis_stream_name)


def _source(said: SourceState, now_s: float, *, enabled: bool) -> IngesterSource:
    silent_s = max(now_s - said.updated_s, 0.0)
    is_gone = silent_s > GONE_AFTER_S
    return IngesterSource(
        name=said.name,
        enabled=enabled,
        state="gone" if is_gone else _state(said),
        behind_s=said.behind_s + silent_s if is_gone and said.behind_s is not None else said.behind_s,
        last_post_at=None if said.last_post_s is None else _moment(said.last_post_s),
        posts=said.posts,
        posts_per_s=0.0 if is_gone else said.posts_per_s,
        rate_limit_per_minute=said.rate_per_minute,
        rejected=said.rejected,
        skipped=said.skipped,
        gaps=said.gaps,
        errors=said.errors,
        last_error=said.last_error or None,
        updated_at=_moment(said.updated_s),
    )


def _state(said: SourceState) -> Literal["connected", "disconnected", "waiting", "off", "ended"]:
    if said.ended:
        return "ended"
    if not said.on:
        return "off"
    if said.waiting:
        return "waiting"
    return "connected" if said.connected else "disconnected"


def _moment(epoch_s: float) -> datetime:
    return datetime.fromtimestamp(min(epoch_s, MAX_EPOCH_S), UTC)
