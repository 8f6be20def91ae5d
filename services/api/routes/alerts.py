"""`/api/alerts`: raised and resolved ones, newest first; why there is one; that somebody has seen it."""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Request

from services.api.alerting.explanation import explain
from services.api.alerting.row import Alert, AlertPage, AlertState
from services.api.alerting.watch import announce
from services.api.dependencies import Limit, Offset, StateDep, Text
from services.api.queries import alert_list
from services.api.schemas.alerts import Acknowledgement, AlertDetail
from services.api.schemas.general import ErrorBody
from services.api.state import State
from services.api.web.json_body import REFUSALS, described, read_json
from services.common.messages import AlertMessage

router = APIRouter(tags=["alerts"])

ERRORS: dict[int | str, dict[str, Any]] = {422: {"model": ErrorBody}, 503: {"model": ErrorBody}}
ONE: dict[int | str, dict[str, Any]] = {404: {"model": ErrorBody, "description": "There is no such alert"}, **ERRORS}
# As far as an id of PostgreSQL goes.
Id = Annotated[int, Path(ge=0, lt=2**63)]


@router.get("/api/alerts", operation_id="listAlerts", summary="Alerts, newest first", responses=ERRORS)
@router.head("/api/alerts", include_in_schema=False)
async def list_alerts(
    *,
    app_state: StateDep,
    limit: Limit = 50,
    offset: Offset = 0,
    alert_type: Annotated[Text | None, Query(max_length=50, examples=["high_negative_ratio"])] = None,
    rule_id: Annotated[int | None, Query(ge=0, lt=2**63, description="Only alerts of this rule")] = None,
    state: Annotated[AlertState | None, Query(description="unacknowledged: raised or resolved")] = None,
) -> AlertPage:
    """An alert whose `resolved_at` is null is raised now."""
    alerts, total = await alert_list.read_alerts(
        app_state.pool, limit=limit, offset=offset, alert_type=alert_type or None, rule_id=rule_id, state=state
    )
    return AlertPage(alerts=alerts, total=total, limit=limit, offset=offset)


@router.get("/api/alerts/{alert_id}", operation_id="getAlert", summary="Why there is an alert", responses=ONE)
async def get_alert(state: StateDep, alert_id: Id) -> AlertDetail:
    """The counts around it, posts that made it, and who was told."""
    found = await alert_list.read_alert(state.pool, alert_id)
    if found is None:
        raise _absent()
    return await explain(state.pool, *found)


@router.post(
    "/api/alerts/{alert_id}/acknowledge",
    operation_id="acknowledgeAlert",
    summary="Say that somebody looks after it",
    responses={**REFUSALS, **ONE},
    openapi_extra=described(Acknowledgement),
)
async def acknowledge(state: StateDep, alert_id: Id, request: Request) -> Alert:
    """Whoever says it first counts, with their note; said again it changes nothing."""
    said = await read_json(request, Acknowledgement)
    return await _told(state, await alert_list.acknowledge(state.pool, alert_id, said.note or None))


@router.delete(
    "/api/alerts/{alert_id}/acknowledge",
    operation_id="takeBackAcknowledgement",
    summary="Take that back",
    responses={403: REFUSALS[403], **ONE},
)
async def take_back(state: StateDep, alert_id: Id) -> Alert:
    return await _told(state, await alert_list.take_back(state.pool, alert_id))


async def _told(state: State, marked: tuple[Alert, bool] | None) -> Alert:
    if marked is None:
        raise _absent()
    alert, is_new = marked
    if is_new:
        await announce(state.redis, AlertMessage(change="acknowledged", alert=alert.model_dump(mode="json")))
    return alert


def _absent() -> HTTPException:
    return HTTPException(404, "There is no such alert.")
