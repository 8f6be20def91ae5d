"""What `/api/inference` answers. Times are UTC, shares are 0 to 1."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

Rate = Annotated[float, Field(ge=0)]
Milliseconds = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0)]


class TritonServer(BaseModel):
    ready: bool = Field(description="Whether it answers, and a real inference on both models succeeded recently")
    version: str | None = Field(description="null: it has not answered yet", examples=["2.51.0"])
    server_name: str | None = Field(examples=["undertone-a2a64618c0440abc"])


class ModelStatistics(BaseModel):
    """One version, as Triton counts it: requests of everybody, of workers, of this API, of its probes."""

    name: str = Field(description="Triton's", examples=["sentiment"])
    version: int = Field(ge=1, examples=[1])
    role: Literal["sentiment", "emotion"]
    is_canary: bool = Field(description="On trial: it answers its share of the posts")
    precision: str | None = Field(description="Of the weights", examples=["fp32"])
    device: Literal["cpu", "gpu"] | None = Field(description="null: the configuration leaves it to Triton")
    state: Literal["ready", "unavailable"]
    requests_per_s: Rate
    inferences_per_s: Rate = Field(description="Texts; a request has one or many")
    failures_per_s: Rate
    failures_total: int = Field(ge=0, description="Since Triton loaded the version")
    mean_batch: float | None = Field(description="Texts that were computed together; null without any")
    queue_ms: Milliseconds | None = Field(description="Mean of the requests in Triton's queue; null without any")
    compute_ms: Milliseconds | None = Field(description="Mean of their batches in the model; null without any")
    pending_requests: int | None = Field(description="That wait now; null without Triton's metrics")


class Gpu(BaseModel):
    id: str = Field(examples=["GPU-8f0c2b5e-6a5d-4d55-9a0e-0c9d3c1a2b3c"])
    utilization: Share | None
    memory_used_bytes: int | None
    memory_total_bytes: int | None
    power_w: float | None


class Hardware(BaseModel):
    """Of Triton's machine; null where TRITON_METRICS_URL is not set, or does not answer."""

    cpu_utilization: Share | None
    memory_used_bytes: int | None
    memory_total_bytes: int | None
    gpus: list[Gpu]


class PipelineNumbers(BaseModel):
    """The stream and its workers now; null while Redis is away. `posts_per_s`: stored and announced, in the window."""

    lag: int | None = Field(description="Posts that no worker has read")
    pending: int | None = Field(description="Read, not yet stored and acknowledged")
    consumers: int | None
    dead_letters: int | None
    posts_per_s: Rate


class LatencyNumbers(BaseModel):
    """From the arrival in the stream until this process hands a post to its browsers; percentiles within 2 %."""

    count: int = Field(ge=1, description="All posts of the window, shown in the live feed or not")
    p50_ms: Milliseconds
    p95_ms: Milliseconds
    p99_ms: Milliseconds


class HistoryPoint(BaseModel):
    """The seconds up to `at`; null where nothing was measured in them."""

    at: datetime
    posts_per_s: Rate
    inferences_per_s: Rate | None = Field(description="Of both models together; null while Triton was away")
    mean_batch: float | None
    queue_ms: Milliseconds | None
    compute_ms: Milliseconds | None
    lag: int | None
    p50_ms: Milliseconds | None
    p95_ms: Milliseconds | None
    p99_ms: Milliseconds | None


class InferenceStatistics(BaseModel):
    """Means and rates are those of the window, other numbers those of `taken_at`, a few seconds ago."""

    taken_at: datetime
    window_s: float = Field(ge=0, description="What was asked for, or less: since this process began to look")
    triton: TritonServer
    models: list[ModelStatistics]
    hardware: Hardware
    pipeline: PipelineNumbers
    latency: LatencyNumbers | None = Field(description="null without posts in the window")
    history: list[HistoryPoint] = Field(description="The last 15 minutes, a point for 5 seconds, the oldest first")
