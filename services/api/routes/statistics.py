"""`/api/inference`: how the models and the way to them fare, from what a background look has found."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response

from services.api.dependencies import StateDep
from services.api.schemas.general import ErrorBody
from services.api.schemas.statistics import (
    Gpu,
    Hardware,
    InferenceStatistics,
    LatencyNumbers,
    ModelStatistics,
    PipelineNumbers,
    TritonServer,
)
from services.api.state import PROBE_TIMEOUT_S, State
from services.api.statistics.latency import Latencies
from services.api.statistics.watch import InferenceWatch
from services.api.statistics.window import Window
from services.inference.deployment import deployment
from services.inference.scorer import ROLES, Role
from services.inference.served import Loaded, Models
from services.inference.statistics import Counters, summed

router = APIRouter(tags=["inference"])

MAX_MINUTES = 15


@router.get(
    "/api/inference",
    operation_id="getInferenceStatistics",
    summary="Load and speed of the models, of the way to them, and of their machine",
    response_model=InferenceStatistics,
    responses={422: {"model": ErrorBody}},
)
async def get_inference_statistics(
    state: StateDep,
    minutes: Annotated[
        int, Query(ge=1, le=MAX_MINUTES, description="The window of the rates, means and percentiles, up to now")
    ] = 5,
) -> Response:
    """What Triton itself counts, read every five seconds, and what this process saw come by: after its start there is
    less than the window asked for, and another process has seen what came while it ran.

    While Triton is away its models are `unavailable` and their rates fall; what it had counted stays. A restart of it
    takes nothing back.
    """
    watch = state.watch
    # Only in the first moments of the process: nothing is known before the first look.
    if watch.last is None:
        with suppress(TimeoutError):
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                await state.watching.first_run.wait()
    # Encoded: every dashboard asks every few seconds, and 180 points take 2 ms.
    cached = await state.caches.inference.get(minutes, lambda: _encoded(state, minutes))
    return Response(cached.value, media_type="application/json")


async def _encoded(state: State, minutes: int) -> bytes:
    return _statistics(state, minutes).model_dump_json().encode()


def _statistics(state: State, minutes: int) -> InferenceStatistics:
    watch, last = state.watch, state.watch.last
    window = watch.window(60 * minutes) if last else Window(0.0, 0, Latencies(), {})
    answers = last is not None and last.statistics is not None
    name, version = watch.seen.server or (None, None)
    hardware, stream = watch.seen.hardware, last and last.stream
    return InferenceStatistics(
        taken_at=last.at if last else datetime.now(UTC),
        window_s=window.seconds,
        triton=TritonServer(ready=answers and state.probes.triton.ok, version=version, server_name=name),
        models=_models(watch, window, ready=state.probes.triton.ok),
        hardware=Hardware(
            cpu_utilization=hardware and hardware.cpu_utilization,
            memory_used_bytes=hardware and hardware.memory_used_bytes,
            memory_total_bytes=hardware and hardware.memory_total_bytes,
            gpus=[Gpu.model_validate(gpu, from_attributes=True) for gpu in (hardware.gpus if hardware else ())],
        ),
        pipeline=PipelineNumbers(
            lag=stream and stream.lag,
            pending=stream and stream.pending,
            consumers=stream and stream.consumers,
            dead_letters=stream and stream.dead_letters,
            posts_per_s=window.per_s(window.posts),
        ),
        latency=_latency(window.latencies),
        history=watch.history,
    )


def _models(watch: InferenceWatch, window: Window, *, ready: bool) -> list[ModelStatistics]:
    """Those in service, as long as they were known, and the canaries beside them."""
    models, last = watch.seen.models, watch.last
    if models is None or last is None:
        return []
    pending = watch.seen.hardware.pending if watch.seen.hardware else None
    totals = summed(last.statistics.values()) if last.statistics is not None else None
    rows = []
    for role, loaded in _each(models):
        model, how = loaded.model, deployment(loaded.config)
        version = (model.name, model.version)
        total = totals.get(version) if totals is not None else None
        counters = window.counted.get(version, Counters())
        rows.append(
            ModelStatistics(
                name=model.name,
                version=model.version,
                role=role,
                is_canary=bool(model.canary_of),
                precision=how.precision,
                device=how.device,
                state="ready" if ready and total is not None else "unavailable",
                requests_per_s=window.per_s(counters.requests),
                inferences_per_s=window.per_s(counters.inferences),
                failures_per_s=window.per_s(counters.failures),
                failures_total=total.failures if total else counters.failures,
                mean_batch=counters.mean_batch,
                queue_ms=counters.queue_ms,
                compute_ms=counters.compute_ms,
                pending_requests=pending.get(version) if pending is not None else None,
            )
        )
    return rows


def _each(models: Models) -> list[tuple[Role, Loaded]]:
    roles: dict[str, Role] = {loaded.model.name: role for role, loaded in zip(ROLES, models.in_service(), strict=True)}
    return [(roles[loaded.model.role], loaded) for loaded in models.loaded()]


def _latency(latencies: Latencies) -> LatencyNumbers | None:
    p50_ms, p95_ms, p99_ms = (latencies.quantile_ms(share) for share in (0.5, 0.95, 0.99))
    if p50_ms is None or p95_ms is None or p99_ms is None:
        return None
    return LatencyNumbers(count=latencies.count, p50_ms=p50_ms, p95_ms=p95_ms, p99_ms=p99_ms)
