"""`/api/alert-rules`: what raises an alert, beside the rule of the settings."""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Request

from services.api.alerting.preview import PREVIEWED, preview
from services.api.alerting.rule import BUILT_IN_ID, Rule
from services.api.alerting.watch import announce, notify
from services.api.dependencies import StateDep
from services.api.queries import alert_rules as queries
from services.api.queries.alerts import close_alert, read_raised
from services.api.queries.connection import connection
from services.api.schemas.alerts import (
    MAX_RULES,
    AlertRule,
    AlertRules,
    PreviewPoint,
    RuleInput,
    RulePreview,
    RuleState,
)
from services.api.schemas.general import ErrorBody
from services.api.state import State
from services.api.web.errors import InvalidParameter
from services.api.web.json_body import REFUSALS, described, read_json
from services.common.messages import AlertMessage

router = APIRouter(tags=["alerts"])

ERRORS: dict[int | str, dict[str, Any]] = {422: {"model": ErrorBody}, 503: {"model": ErrorBody}}
WRITING: dict[int | str, dict[str, Any]] = {
    **REFUSALS,
    409: {"model": ErrorBody, "description": "The name is taken, there are too many, or the rule is of the settings"},
    **ERRORS,
}
ABSENT: dict[int | str, dict[str, Any]] = {404: {"model": ErrorBody, "description": "There is no such rule"}}
HOURS = int(PREVIEWED.total_seconds() // 3_600)
NO_PREVIEW = "not available for a rule with a keyword: its posts are counted from the moment at which it is saved"
Id = Annotated[int, Path(ge=0, lt=2**63)]


@router.get("/api/alert-rules", operation_id="listAlertRules", summary="All rules", responses=ERRORS)
async def list_rules(state: StateDep) -> AlertRules:
    async with connection(state.pool) as held:
        rules = await queries.read_rules(held)
        statuses = await queries.read_statuses(held)
        raised = await read_raised(held)
    return AlertRules(
        rules=[_answer(rule, statuses.get(rule.id), raised) for rule in (state.rule, *rules)],
        webhooks=list(state.webhooks.names),
        limit=MAX_RULES,
    )


@router.post(
    "/api/alert-rules",
    operation_id="addAlertRule",
    summary="Add a rule",
    status_code=201,
    responses=WRITING,
    openapi_extra=described(RuleInput),
)
async def add_rule(state: StateDep, request: Request) -> AlertRule:
    """It looks at its first window within seconds; one with a keyword counts posts from now on."""
    written = _known_webhooks(state, await read_json(request, RuleInput))
    async with queries.changing(state.pool) as held:
        if await queries.is_taken(held, written.rule(0).name):
            raise _taken(written)
        if await queries.count_rules(held) >= MAX_RULES:
            raise HTTPException(409, f"There are {MAX_RULES} rules already; delete one that is not needed any more.")
        rule = await queries.insert_rule(held, written.rule(0))
    return _answer(rule, None, set())


@router.post(
    "/api/alert-rule-preview",
    operation_id="previewAlertRule",
    summary="What a rule would have said of the last 24 hours",
    responses={**REFUSALS, **ERRORS},
    openapi_extra=described(RuleInput),
)
async def preview_rule(state: StateDep, request: Request) -> RulePreview:
    """Nothing is saved."""
    rule = (await read_json(request, RuleInput)).rule(0)
    if rule.keyword:
        return RulePreview(available=False, reason=NO_PREVIEW, hours=HOURS, series=[], would_have_fired=None)
    found = await preview(state.pool, rule)
    series = [PreviewPoint(timestamp=w.end, value=round(rule.value(w), 4), posts=w.total) for w in found.windows]
    return RulePreview(available=True, reason=None, hours=HOURS, series=series, would_have_fired=found.raised)


@router.put(
    "/api/alert-rules/{rule_id}",
    operation_id="changeAlertRule",
    summary="Write a rule anew",
    responses={**WRITING, **ABSENT},
    openapi_extra=described(RuleInput),
)
async def change_rule(state: StateDep, rule_id: Id, request: Request) -> AlertRule:
    """It begins anew: an alert that it has raised is resolved, what it has counted for a keyword is forgotten. Written
    as it is already, nothing happens.
    """
    written = _known_webhooks(state, await read_json(request, RuleInput))
    rule = written.rule(_changeable(rule_id))
    ended: AlertMessage | None = None
    async with queries.changing(state.pool) as held:
        before = await queries.read_rule(held, rule_id)
        if before is None:
            raise _absent()
        if await queries.is_taken(held, rule.name, but_by=rule_id):
            raise _taken(written)
        if rule == before:
            statuses, raised = await queries.read_statuses(held), await read_raised(held)
            return _answer(rule, statuses.get(rule_id), raised)
        if alert := await close_alert(held, before, "rule was changed"):
            ended = await notify(held, alert, "resolved")
        await queries.update_rule(held, rule)
    if ended:
        await announce(state.redis, ended)
    return _answer(rule, None, set())


@router.delete(
    "/api/alert-rules/{rule_id}",
    operation_id="deleteAlertRule",
    summary="Delete a rule",
    responses={403: REFUSALS[403], 409: WRITING[409], **ABSENT, **ERRORS},
)
async def delete_rule(state: StateDep, rule_id: Id) -> AlertRule:
    """What it was. Its alerts stay, with its name; one that is raised is resolved."""
    _changeable(rule_id)
    ended: AlertMessage | None = None
    async with queries.changing(state.pool) as held:
        before = await queries.read_rule(held, rule_id)
        if before is None:
            raise _absent()
        if alert := await close_alert(held, before, "rule was deleted"):
            ended = await notify(held, alert, "resolved")
        await queries.delete_rule(held, rule_id)
    if ended:
        await announce(state.redis, ended)
    return _answer(before, None, set())


def _answer(rule: Rule, status: queries.RuleStatus | None, raised: set[str]) -> AlertRule:
    said: RuleState = "unknown"
    if rule.alert_type in raised:
        said = "raised"
    elif status and rule.enabled and (rule.kind == "volume" or status.last_posts >= rule.min_posts):
        said = "calm"
    return AlertRule(
        **{name: getattr(rule, name) for name in AlertRule.model_fields if hasattr(rule, name)},
        built_in=rule.is_built_in,
        state=said,
        last_value=round(status.last_value, 4) if status else None,
        last_posts=status.last_posts if status else None,
        evaluated_at=status.evaluated_at if status else None,
    )


def _changeable(rule_id: int) -> int:
    if rule_id == BUILT_IN_ID:
        raise HTTPException(
            409, "The rule 0 is of the settings ALERT_NEGATIVE_RATIO_THRESHOLD and others of that name."
        )
    return rule_id


def _known_webhooks(state: State, written: RuleInput) -> RuleInput:
    unknown = sorted({*written.webhooks} - {*state.webhooks.names})
    if unknown:
        raise InvalidParameter(f"webhooks: ALERT_WEBHOOKS has no {', '.join(unknown)}")
    return written


def _taken(written: RuleInput) -> HTTPException:
    return HTTPException(409, f"Another rule is called “{written.name.strip()}”.")


def _absent() -> HTTPException:
    return HTTPException(404, "There is no such rule.")
