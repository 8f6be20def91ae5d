"""`/metrics`, for Prometheus."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from services.api.dependencies import StateDep

router = APIRouter()


@router.get("/metrics", include_in_schema=False)
async def get_metrics(state: StateDep) -> Response:
    """Reads no other service: what it shows was gathered in the background."""
    for work in state.periodic:
        state.metrics.task_up.labels(work.name).set(work.ok)
    return Response(state.metrics.text(), media_type=CONTENT_TYPE_LATEST)
