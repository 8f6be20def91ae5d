"""For each alert: series with which it fires, and series with which it does not.

In promtool's notation a series is a start, a step and how many times more: `0+60x20` is 0, 60, 120, … once a minute.
"""

from dataclasses import dataclass
from typing import TypeAlias

Series: TypeAlias = dict[str, str]
GB = 1_000_000_000


@dataclass(frozen=True)
class Case:
    """`after`: minutes, by which the alert with these series fires, or does not."""

    fires: Series
    calm: Series
    after: int = 40


def answered(failed: str, ok: str, status: str) -> Series:
    return {
        f'undertone_http_requests_total{{status="{status}"}}': failed,
        'undertone_http_requests_total{status="200"}': ok,
    }


def frames(dropped: str) -> Series:
    return {
        "undertone_websocket_frames_dropped_total": dropped,
        'undertone_websocket_frames_sent_total{type="post"}': "0+900x60",
    }


def requests(failed: str) -> Series:
    return {
        'nv_inference_request_failure{model="emotion", reason="BACKEND"}': failed,
        'nv_inference_request_failure{model="emotion", reason="CANCELED"}': "0+500x60",
        'nv_inference_request_success{model="emotion"}': "0+900x60",
    }


def inference(within_10_s: str) -> Series:
    bucket = 'undertone_inference_seconds_bucket{job="worker", model="emotion", le='
    return {f'{bucket}"10"}}': within_10_s, f'{bucket}"30"}}': "0+100x60", f'{bucket}"+Inf"}}': "0+100x60"}


def queue(us: str) -> Series:
    return {
        'nv_inference_queue_duration_us{model="emotion"}': us,
        'nv_inference_request_success{model="emotion"}': "0+100x60",
    }


def gpu(utilization: float, lag: int) -> Series:
    return {
        'nv_gpu_utilization{gpu_uuid="GPU-a"}': f"{utilization}x60",
        "undertone_stream_lag": f"{lag}x60",
    }


def latency(within_10_s: str) -> Series:
    bucket = "undertone_post_latency_seconds_bucket{le="
    return {f'{bucket}"10"}}': within_10_s, f'{bucket}"60"}}': "0+100x60", f'{bucket}"+Inf"}}': "0+100x60"}


def ingested(published: str, held_back: int) -> Series:
    return {
        "undertone_ingester_posts_published_total": published,
        "undertone_ingester_held_back": f"{held_back}x60",
    }


def attempts(outcome: str, count: str) -> Series:
    return {f'undertone_webhook_attempts_total{{webhook="ops", outcome="{outcome}"}}': count}


ALERTS_RUN = 'undertone_task_last_success_timestamp_seconds{task="alerts"}'

CASES = {
    "ApiFails": Case(answered("0+2x60", "0+98x60", "503"), answered("0+2x60", "0+998x60", "503")),
    "ApiRefuses": Case(answered("0+10x60", "0+90x60", "429"), answered("0+2x60", "0+98x60", "429")),
    "WebSocketDrops": Case(frames("0+100x60"), frames("0+10x60")),
    "WebSocketFull": Case(
        {'undertone_websocket_refused_total{reason="full"}': "0x35 1x25"},
        {'undertone_websocket_refused_total{reason="full"}': "7x60"},
    ),
    "KeysAreTried": Case(
        {'undertone_access_refused_total{reason="unknown_often", key=""}': "0x35 4x25"},
        {'undertone_access_refused_total{reason="unknown", key=""}': "0x35 4x25"},
    ),
    "InferenceFails": Case(requests("0+20x60"), requests("0+2x60")),
    "InferenceStalls": Case(
        {
            'nv_inference_pending_request_count{model="emotion"}': "3x60",
            'nv_inference_request_success{model="emotion"}': "900x60",
        },
        {
            'nv_inference_pending_request_count{model="emotion"}': "3x60",
            'nv_inference_request_success{model="emotion"}': "0+9x60",
        },
    ),
    "InferenceSlow": Case(inference("0+90x60"), inference("0+100x60")),
    "TritonQueueSlow": Case(queue("0+60000000x60"), queue("0+40000000x60")),
    "GpuMemoryFull": Case(
        {
            'nv_gpu_memory_used_bytes{gpu_uuid="GPU-a"}': f"{78 * GB}x60",
            'nv_gpu_memory_total_bytes{gpu_uuid="GPU-a"}': f"{80 * GB}x60",
        },
        {
            'nv_gpu_memory_used_bytes{gpu_uuid="GPU-a"}': f"{70 * GB}x60",
            'nv_gpu_memory_total_bytes{gpu_uuid="GPU-a"}': f"{80 * GB}x60",
        },
    ),
    "GpuSaturated": Case(gpu(0.99, 2_000), gpu(0.99, 10)),
    "GpuIdle": Case(gpu(0.01, 2_000), gpu(0.01, 10)),
    "TargetDown": Case(
        {'up{job="api", instance="api:8000"}': "1 0x60"}, {'up{job="api", instance="api:8000"}': "1x60"}
    ),
    "NoWorker": Case({'up{job="worker"}': "1 0x60"}, {'up{job="worker"}': "1x60"}),
    "WorkerNotReady": Case({"undertone_worker_ready": "1 0x60"}, {"undertone_worker_ready": "0x37 1x30"}),
    "ServiceStuck": Case(
        {"undertone_ingester_heartbeat_timestamp_seconds": "0+60x30 1800x30"},
        {
            "undertone_ingester_heartbeat_timestamp_seconds": "0+60x60",
            "undertone_worker_heartbeat_timestamp_seconds": "0+60x60",
            "undertone_keeper_heartbeat_timestamp_seconds": "0+60x60",
        },
    ),
    "DependencyAway": Case(
        {'undertone_circuit_open{job="worker", dependency="triton"}': "0 1x60"},
        {'undertone_circuit_open{job="worker", dependency="triton"}': "1x38 0x30"},
    ),
    "StreamLagHigh": Case({"undertone_stream_lag": "60000x60"}, {"undertone_stream_lag": "40000x60"}),
    "StreamLagGrows": Case({"undertone_stream_lag": "2000+120x60"}, {"undertone_stream_lag": "20000-120x60"}),
    "PendingTooOld": Case(
        {"undertone_stream_oldest_pending_seconds": "0+60x60"}, {"undertone_stream_oldest_pending_seconds": "500x60"}
    ),
    "DeadLettersRise": Case({"undertone_dead_letters": "100x30 200x30"}, {"undertone_dead_letters": "5000x60"}),
    "DeadLettersFull": Case({"undertone_dead_letters": "95000x60"}, {"undertone_dead_letters": "80000x60"}),
    "PostsSlow": Case(latency("0+90x60"), latency("0+100x60")),
    "IngesterStopped": Case(ingested("900x60", 0), ingested("900x60", 1)),
    "IngesterHeldBack": Case(ingested("900x60", 1), ingested("0+9x60", 0)),
    "DatabaseDown": Case({"pg_up": "1 0x60"}, {"pg_up": "1x60"}),
    "DatabaseConnectionsHigh": Case(
        {'pg_stat_database_numbackends{datname="undertone"}': "90x60", "pg_settings_max_connections": "100x60"},
        {'pg_stat_database_numbackends{datname="undertone"}': "90x60", "pg_settings_max_connections": "200x60"},
    ),
    # A gigabyte an hour, and a tenth of it.
    "DatabaseGrows": Case(
        {'pg_database_size_bytes{datname="undertone"}': f"{10 * GB}+{GB // 60}x100"},
        {'pg_database_size_bytes{datname="undertone"}': f"{10 * GB}+{GB // 600}x100"},
        after=80,
    ),
    "DatabaseTransactionLong": Case(
        {'pg_stat_activity_max_tx_duration{datname="undertone", state="idle in transaction"}': "3000+60x60"},
        {'pg_stat_activity_max_tx_duration{datname="undertone", state="active"}': "900x60"},
    ),
    "RedisDown": Case({"redis_up": "1 0x60"}, {"redis_up": "1x60"}),
    "RedisMemoryHigh": Case(
        {"redis_memory_used_bytes": f"{0.9 * GB:.0f}x60", "redis_memory_max_bytes": f"{GB}x60"},
        # No limit: nothing to be near to.
        {"redis_memory_used_bytes": f"{9 * GB}x60", "redis_memory_max_bytes": "0x60"},
    ),
    "RedisNotWriting": Case({"redis_aof_last_write_status": "1 0x60"}, {"redis_aof_last_write_status": "1x60"}),
    "RulesFail": Case(
        {"prometheus_rule_evaluation_failures_total": "0x35 3x25"},
        {"prometheus_rule_evaluation_failures_total": "3x60"},
    ),
    "AlertTaskNotRunning": Case({ALERTS_RUN: "0+60x30 1800x30"}, {ALERTS_RUN: "0+60x60"}),
    "TaskFails": Case(
        {'undertone_task_up{task="stream"}': "1 0x60"},
        {
            'undertone_task_up{task="stream", instance="a"}': "0x60",
            'undertone_task_up{task="stream", instance="b"}': "1x60",
        },
    ),
    "UpkeepNotRunning": Case(
        {'undertone_upkeep_round_timestamp_seconds{what="storage"}': "0x150"},
        {'undertone_upkeep_round_timestamp_seconds{what="storage"}': "0+60x150"},
        after=140,
    ),
    "WebhookFails": Case(attempts("failed", "0+1x60"), attempts("failed", "9x60")),
    "WebhookGivesUp": Case(attempts("given_up", "0x35 1x25"), attempts("given_up", "4x60")),
}
# With nothing at all: what is absent.
FIRES_ON_NOTHING = ("NoWorker", "AlertTaskNotRunning")
