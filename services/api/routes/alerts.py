"""`/api/alerts`: raised and resolved ones, newest first."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.api.dependencies import Limit, Offset, StateDep, Text
from services.api.queries.alerts import read_alerts
from services.api.schemas import AlertPage, ErrorBody

router = APIRouter(tags=["alerts"])


@router.get(
    "/api/alerts",
    operation_id="listAlerts",
    summary="Alerts, newest first",
    responses={422: {"model": ErrorBody}, 503: {"model": ErrorBody}},
)
@router.head("/api/alerts", include_in_schema=False)
async def list_alerts(
    state: StateDep,
    limit: Limit = 50,
    offset: Offset = 0,
    alert_type: Annotated[Text | None, Query(max_length=50, examples=["high_negative_ratio"])] = None,
) -> AlertPage:
    """An alert whose `resolved_at` is null is raised now."""
    alerts, total = await read_alerts(state.pool, limit=limit, offset=offset, alert_type=alert_type or None)
    return AlertPage(alerts=alerts, total=total, limit=limit, offset=offset)
