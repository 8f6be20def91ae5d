"""Posts on their way, from the source to the browsers."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.parts import Section, choice, lines, new_dashboard, number, quantile, rate

_WORKER = 'job="worker", instance=~"$worker"'


def dashboard() -> Dashboard:
    return new_dashboard(
        "pipeline",
        "Pipeline",
        "Posts on their way: published, read, analysed, stored, shown; and what stops them.",
        choice("worker", "Worker", "Replicas of the worker", 'undertone_worker_ready{job="worker"}', "instance"),
        _now(),
        _flow(),
        _workers(),
        _browsers(),
        _dead_letters(),
    )


def _now() -> Section:
    return "Now", [
        number(
            "Stored",
            "Posts that were new and are stored, all workers together.",
            "cps",
            "sum(rate(undertone_worker_posts_stored_total[2m]))",
        ),
        number(
            "Wait unread",
            "Posts that no worker has read. At MAX_STREAM_LAG the ingester pauses.",
            "short",
            "max(undertone_stream_lag)",
            orange=10_000,
            red=50_000,
        ),
        number(
            "Oldest pending",
            "How long ago the oldest post that is read and not stored came into the stream.",
            "s",
            "max(undertone_stream_oldest_pending_seconds)",
            orange=60,
            red=600,
        ),
        number(
            "Workers ready",
            "Workers whose schema, group, models and servers are there.",
            "short",
            'sum(undertone_worker_ready{job="worker"}) or vector(0)',
            red_below=1,
        ),
        number(
            "Dead letters",
            "Posts that were refused and lie there until somebody replays or drops them; 100,000 at most.",
            "short",
            "max(undertone_dead_letters)",
            orange=1,
            red=90_000,
        ),
        number(
            "Post to browser, p99",
            "From a post's arrival in the stream until it is handed to the browsers.",
            "s",
            "undertone:post_latency_seconds:p99_5m",
            orange=5,
            red=30,
        ),
    ]


def _flow() -> Section:
    return "Flow", [
        lines(
            "Posts",
            "Published by the ingester and stored by the workers; while the first is above, the stream grows.",
            "cps",
            (rate("undertone_ingester_posts_published_total"), "published"),
            (rate("undertone_worker_posts_stored_total", where=_WORKER), "stored"),
            (rate("undertone_worker_posts_redelivered_total", where=_WORKER), "found stored"),
        ),
        lines(
            "Stream",
            "Unread: no worker has them yet. Pending: read, not acknowledged.",
            "short",
            ("max(undertone_stream_lag)", "unread"),
            ("max(undertone_stream_pending)", "pending"),
        ),
        lines(
            "Oldest pending post",
            "Its age since it came into the stream; long: a server is away, or a worker holds it.",
            "s",
            ("max(undertone_stream_oldest_pending_seconds)", "age"),
            limit=600,
        ),
        lines(
            "Ingester held back",
            "Share of the time that it waited for workers because the stream was full.",
            "percentunit",
            ("max(avg_over_time(undertone_ingester_held_back[$__rate_interval]))", "held back"),
            limit=0.8,
        ),
    ]


def _workers() -> Section:
    batch = "undertone_worker_batch_posts"
    own = 'job=~"api|worker|ingester|keeper"'
    return "Workers", [
        lines(
            "Stages of a batch, p95",
            "How long a batch takes in each stage, waiting for servers included.",
            "s",
            (quantile(0.95, "undertone_worker_stage_seconds", "stage", _WORKER), "{{stage}}"),
        ),
        lines(
            "Posts in a batch",
            "A batch is what arrived while another was analysed: the larger, the busier the worker.",
            "short",
            (
                f"{rate(f'{batch}_sum', 'instance', _WORKER)} / {rate(f'{batch}_count', 'instance', _WORKER)}",
                "{{instance}}",
            ),
        ),
        lines(
            "Ready",
            "1 while a worker works, 0 while it waits for a server.",
            "short",
            (f"undertone_worker_ready{{{_WORKER}}}", "{{instance}}"),
        ),
        lines(
            "Open circuits",
            "Servers that are away, by how many processes say so.",
            "short",
            ("sum by (dependency) (undertone_circuit_open)", "{{dependency}}"),
        ),
        lines(
            "Memory",
            "Resident memory of each service; it follows the batch, not the backlog.",
            "bytes",
            (f"process_resident_memory_bytes{{{own}}}", "{{job}} {{instance}}"),
        ),
        lines(
            "Processors",
            "Cores that each service uses.",
            "short",
            (rate("process_cpu_seconds_total", "job, instance", own), "{{job}} {{instance}}"),
        ),
    ]


def _browsers() -> Section:
    return "API and browsers", [
        lines(
            "Requests",
            "Answers a second, by status.",
            "reqps",
            (rate("undertone_http_requests_total", "status"), "{{status}}"),
            stacked=True,
        ),
        lines(
            "Request time, p95",
            "From request to the end of its answer, by route.",
            "s",
            (quantile(0.95, "undertone_http_request_duration_seconds", "route"), "{{route}}"),
        ),
        lines(
            "Failed and refused",
            "Share of the requests answered with 5xx, and with 429.",
            "percentunit",
            ("undertone:http_requests_failed:ratio_rate5m", "5xx"),
            ("undertone:http_requests_refused:ratio_rate5m", "429"),
            limit=0.05,
        ),
        lines(
            "Refused callers",
            "Requests and connections without a key, with a wrong one, beyond a key's scope or a caller's rate.",
            "reqps",
            (rate("undertone_access_refused_total", "reason"), "{{reason}}"),
        ),
        lines(
            "Waiting requests",
            "Requests that wait for their turn at the database, and those that are worked on.",
            "short",
            ("sum(undertone_http_requests_waiting)", "waiting"),
            ("sum(undertone_http_requests_at_work)", "at work"),
        ),
        lines(
            "Browsers",
            "WebSocket connections that are open.",
            "short",
            ("sum(undertone_websocket_clients)", "connected"),
        ),
        lines(
            "Frames",
            "Frames sent to browsers, by type, and those that slow browsers lost.",
            "cps",
            (rate("undertone_websocket_frames_sent_total", "type"), "{{type}}"),
            (rate("undertone_websocket_frames_dropped_total"), "dropped"),
        ),
        lines(
            "Post to browser",
            "From a post's arrival in the stream until it is handed to the browsers.",
            "s",
            (quantile(0.5, "undertone_post_latency_seconds"), "p50"),
            (quantile(0.99, "undertone_post_latency_seconds"), "p99"),
            limit=30,
        ),
    ]


def _dead_letters() -> Section:
    return "Dead letters", [
        lines("Dead letters", "How many there are.", "short", ("max(undertone_dead_letters)", "dead letters")),
        lines(
            "Refused",
            "Posts that workers refused, by reason; docs/reliability.md explains each.",
            "cps",
            (f"{rate('undertone_worker_dead_letters_total', 'reason')} or vector(0)", "{{reason}}"),
        ),
    ]
