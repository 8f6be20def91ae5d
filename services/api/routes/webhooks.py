"""`/api/webhooks`: whether a receiver can be reached."""

from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, HTTPException, Path, Request

from services.api.alerting.message import trial_message
from services.api.dependencies import StateDep
from services.api.schemas.alerts import Nothing, WebhookTest
from services.api.schemas.general import ErrorBody
from services.api.web.json_body import REFUSALS, described, read_json

router = APIRouter(tags=["alerts"])


@router.post(
    "/api/webhooks/{name}/test",
    operation_id="testWebhook",
    summary="Send a test message",
    responses={
        **REFUSALS,
        404: {"model": ErrorBody, "description": "ALERT_WEBHOOKS has no such name"},
        422: {"model": ErrorBody},
    },
    openapi_extra=described(Nothing),
)
async def test_webhook(state: StateDep, name: Annotated[str, Path(max_length=30)], request: Request) -> WebhookTest:
    """At once, and once: what fails is not tried again. The answer takes ten seconds at most."""
    await read_json(request, Nothing)
    if name not in state.webhooks.names:
        raise HTTPException(404, "ALERT_WEBHOOKS has no webhook of this name.")
    outcome = await state.webhooks.send(name, uuid4(), trial_message(name))
    if outcome.error is None:
        return WebhookTest(delivered=True, detail=f"The receiver answered {outcome.status}.")
    return WebhookTest(delivered=False, detail=f"{outcome.error[0].upper()}{outcome.error[1:]}.")
