"""Triton and the models, as the server counts and as its callers wait."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.parts import Section, choice, lines, new_dashboard, number, quantile, rate

_MODEL = 'model=~"$model"'


def dashboard() -> Dashboard:
    return new_dashboard(
        "inference",
        "Inference",
        "Triton and the models: how many texts, how long, how full the batches, what fails.",
        choice("model", "Model", "Models that Triton serves", "nv_inference_count", "model"),
        _now(),
        _amounts(),
        _times(),
        _callers(),
    )


def _of(metric: str) -> str:
    return rate(metric, "model", _MODEL)


def _mean_s(metric: str) -> str:
    """Seconds a request, of a counter of microseconds."""
    return f"{_of(metric)} / {_of('nv_inference_request_success')} / 1e6"


def _now() -> Section:
    return "Now", [
        number("Inferences", "Texts a second, all models.", "cps", "sum(rate(nv_inference_count[2m]))", width=6),
        number(
            "Failed",
            "The largest share of a model's requests that fail.",
            "percentunit",
            "max(model:nv_inference_request_failure:ratio_rate5m)",
            width=6,
            orange=0.001,
            red=0.01,
        ),
        number(
            "Queue",
            "The longest mean wait of a model's requests in Triton's queue.",
            "s",
            "max(model:nv_inference_queue_seconds:mean5m)",
            width=6,
            orange=0.1,
            red=0.5,
        ),
        number(
            "Batch, p99",
            "One batch of a worker in a hundred waits longer for its slowest model.",
            "s",
            "max(model:undertone_inference_seconds:p99_5m)",
            width=6,
            orange=5,
            red=10,
        ),
    ]


def _amounts() -> Section:
    return "How much", [
        lines("Inferences", "Texts a second.", "cps", (_of("nv_inference_count"), "{{model}}")),
        lines(
            "Requests",
            "Requests a second that succeeded, and that failed, by reason.",
            "reqps",
            (_of("nv_inference_request_success"), "{{model}}"),
            (rate("nv_inference_request_failure", "model, reason", _MODEL), "{{model}} failed: {{reason}}"),
        ),
        lines(
            "Batch",
            "Texts that were computed at once: the more, the better a GPU is used.",
            "short",
            (f"{_of('nv_inference_count')} / {_of('nv_inference_exec_count')}", "{{model}}"),
        ),
        lines(
            "Waiting requests",
            "Requests in Triton's queues now.",
            "short",
            (f"sum by (model) (nv_inference_pending_request_count{{{_MODEL}}})", "{{model}}"),
        ),
    ]


def _times() -> Section:
    quantiles = f'nv_inference_request_summary_us{{{_MODEL}, quantile=~"0.5|0.99"}}'
    return "How long, by Triton's clock", [
        lines(
            "Queue, mean",
            "How long a request waits before it is computed.",
            "s",
            (_mean_s("nv_inference_queue_duration_us"), "{{model}}"),
            limit=0.5,
        ),
        lines(
            "Compute, mean",
            "How long a request is computed.",
            "s",
            (_mean_s("nv_inference_compute_infer_duration_us"), "{{model}}"),
        ),
        lines(
            "Request, quantiles",
            "From a request's arrival in Triton to its answer, of the newest requests.",
            "s",
            (f"max by (model, quantile) ({quantiles}) / 1e6", "{{model}} {{quantile}}"),
        ),
        lines(
            "Triton's machine",
            "Share of its processors and of its memory that are in use.",
            "percentunit",
            ("max(nv_cpu_utilization)", "processors"),
            ("max(nv_cpu_memory_used_bytes) / max(nv_cpu_memory_total_bytes)", "memory"),
        ),
    ]


def _callers() -> Section:
    return "How long, for those who ask", [
        lines(
            "Answer to a batch, p99",
            "From a batch's first request to its last answer, by service, model and its version.",
            "s",
            (
                quantile(0.99, "undertone_inference_seconds", "job, model, version", _MODEL),
                "{{job}}: {{model}} {{version}}",
            ),
            limit=10,
        ),
        lines(
            "Tokenization, p99",
            "Of the texts of one batch.",
            "s",
            (quantile(0.99, "undertone_tokenization_seconds", "job"), "{{job}}"),
        ),
        lines(
            "Questions of callers",
            "Texts of /predict and /api/analyze that are worked on, and requests that wait for their turn.",
            "short",
            ("sum(undertone_inference_texts_at_work)", "texts at work"),
            ("sum(undertone_inference_requests_waiting)", "requests waiting"),
        ),
        lines(
            "Canary",
            "Posts that a canary and the version in service answered, by whether they agree; batches it failed.",
            "cps",
            (
                f"{rate('undertone_canary_posts_total', 'model, agrees')} or vector(0)",
                "{{model}} agrees: {{agrees}}",
            ),
            (f"{rate('undertone_canary_failures_total', 'model')} or vector(0)", "{{model}} failed batches"),
        ),
    ]
