"""Triton's Prometheus text becomes the numbers of its machine; anything else is refused, not guessed at."""

import httpx2
import pytest

from services.api.statistics.triton_metrics import (
    MAX_BYTES,
    Gpu,
    Hardware,
    merged,
    parse_hardware,
    read_all_hardware,
    read_hardware,
)
from services.common.errors import Transient

# As Triton 2.51 writes it, the GPU's as its documentation has them.
TEXT = """\
# HELP nv_inference_request_success Number of successful inference requests, all batch sizes
# TYPE nv_inference_request_success counter
nv_inference_request_success{model="emotion",version="1"} 64
# HELP nv_inference_pending_request_count Instantaneous number of pending requests awaiting execution per-model.
# TYPE nv_inference_pending_request_count gauge
nv_inference_pending_request_count{model="emotion",version="1"} 3
nv_inference_pending_request_count{model="other",version="x"} 9
# HELP nv_gpu_utilization GPU utilization rate [0.0 - 1.0)
# TYPE nv_gpu_utilization gauge
nv_gpu_utilization{gpu_uuid="GPU-b"} 0.75
nv_gpu_utilization{gpu_uuid="GPU-a"} NaN
# HELP nv_gpu_memory_total_bytes GPU total memory, in bytes
# TYPE nv_gpu_memory_total_bytes gauge
nv_gpu_memory_total_bytes{gpu_uuid="GPU-b"} 85520809984
nv_gpu_memory_total_bytes{gpu_uuid="GPU-a"} 85520809984
# TYPE nv_gpu_memory_used_bytes gauge
nv_gpu_memory_used_bytes{gpu_uuid="GPU-b"} 1048576
# TYPE nv_gpu_power_usage gauge
nv_gpu_power_usage{gpu_uuid="GPU-b"} 312.5
# TYPE nv_cpu_utilization gauge
nv_cpu_utilization 0.5
# TYPE nv_cpu_memory_total_bytes gauge
nv_cpu_memory_total_bytes 25276063744
# TYPE nv_cpu_memory_used_bytes gauge
nv_cpu_memory_used_bytes 1963896832
"""


def test_the_machine_its_gpus_and_what_waits_are_read() -> None:
    assert parse_hardware(TEXT) == Hardware(
        cpu_utilization=0.5,
        memory_used_bytes=1_963_896_832,
        memory_total_bytes=25_276_063_744,
        gpus=(
            Gpu("GPU-a", None, None, 85_520_809_984, None),
            Gpu("GPU-b", 0.75, 1_048_576, 85_520_809_984, 312.5),
        ),
        pending={("emotion", 1): 3},
    )


def test_before_triton_has_looked_for_the_first_time_nothing_is_known() -> None:
    zeros = "nv_cpu_utilization 0\nnv_cpu_memory_total_bytes 0\nnv_cpu_memory_used_bytes 0\n"
    assert parse_hardware(zeros) == Hardware()


def test_several_machines_are_seen_together() -> None:
    gpu = Gpu("GPU-a", 0.5, 1, 2, 300.0)
    one = Hardware(0.5, 10, 100, (gpu,), {("emotion", 1): 3})
    assert merged([one, Hardware(1.0, 20, 200, (), {("emotion", 1): 1})]) == Hardware(
        0.75, 30, 300, (gpu,), {("emotion", 1): 4}
    )
    assert merged([one]) == one
    assert merged([Hardware(), Hardware()]) == Hardware()


async def test_a_machine_that_does_not_answer_leaves_the_others() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200 if request.url.host == "a" else 503, text=TEXT)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as client:
        assert await read_all_hardware(client, ["http://a/metrics", "http://b/metrics"]) == parse_hardware(TEXT)
        with pytest.raises(Transient):
            await read_all_hardware(client, ["http://b/metrics", "http://c/metrics"])


def answering(body: bytes, status: int = 200) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.MockTransport(lambda _: httpx2.Response(status, content=body)))


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 404), (b"\xff\xfe", 200), (b"nv_cpu_utilization many\n", 200), (b"#" * (MAX_BYTES + 1), 200)],
    ids=range(4),
)
async def test_what_is_no_metrics_is_transient_and_does_not_tell_the_address(body: bytes, status: int) -> None:
    async with answering(body, status) as client:
        with pytest.raises(Transient) as refusal:
            await read_hardware(client, "http://user:secret@triton:8002/metrics")
    assert "secret" not in str(refusal.value)


async def test_what_other_servers_expose_says_nothing_of_the_machine() -> None:
    async with answering(b"process_cpu_seconds_total 3\n") as client:
        assert await read_hardware(client, "http://triton:8002/metrics") == Hardware()
