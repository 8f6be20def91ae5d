"""`/api/models`: the models in service, as Triton's configuration describes them."""

import asyncio

from fastapi import APIRouter

from services.api.dependencies import StateDep
from services.api.schemas.general import ErrorBody
from services.api.schemas.models import CanaryInfo, ModelInfo, ModelList
from services.api.state import State
from services.common.errors import Rejected, Transient
from services.inference.analyzer import PROBE_TEXT
from services.inference.deployment import deployment
from services.inference.scorer import ROLES, Role
from services.inference.served import Loaded, Models

router = APIRouter(tags=["inference"])

# Of one model's inference, where the probe of both says that something is wrong.
PROBE_TIMEOUT_S = 2.0


@router.get(
    "/api/models",
    operation_id="listModels",
    summary="The models in service",
    responses={503: {"model": ErrorBody, "description": "Triton has not answered since the start"}},
)
async def list_models(state: StateDep) -> ModelList:
    """While Triton is away: what it served last, as `unavailable`."""
    return (await state.caches.models.get((), lambda: _list(state))).value


async def _list(state: State) -> ModelList:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            models = await state.inference.models()
    except TimeoutError:
        raise Transient("which models are in service is not known", service="Triton") from None
    ready = await asyncio.gather(*(_is_ready(state, role) for role in ROLES))
    return ModelList(
        models=[
            _info(models, role, loaded, is_ready=is_ready)
            for role, loaded, is_ready in zip(ROLES, models.in_service(), ready, strict=True)
        ]
    )


async def _is_ready(state: State, role: Role) -> bool:
    if state.probes.triton.ok:
        return True
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            await state.inference.score([PROBE_TEXT], [role], "right")
    except (Transient, Rejected, TimeoutError):
        return False
    return True


def _info(models: Models, role: Role, loaded: Loaded, *, is_ready: bool) -> ModelInfo:
    model, how = loaded.model, deployment(loaded.config)
    canary = models.canaries.get(model.name)
    return ModelInfo(
        name=model.name,
        role=role,
        source=model.source,
        revision=model.revision or None,
        version=model.version,
        precision=how.precision,
        labels=list(model.labels),
        max_tokens=model.max_tokens,
        lengths=list(model.lengths),
        activation=model.activation,
        device=how.device,
        runtime=how.runtime,
        state="ready" if is_ready else "unavailable",
        canary=canary and CanaryInfo(version=canary.model.version, percent=canary.model.canary_share),
    )
