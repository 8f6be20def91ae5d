"""What every process that infers counts and times. `version` and `model`: which version of which model in service."""

from prometheus_client import Counter, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

INFERENCE_SECONDS = Histogram(
    "undertone_inference_seconds",
    "Duration of one model's answer to the texts of one call, tokenization apart",
    ["model", "version"],
    buckets=_SECONDS,
)
TOKENIZATION_SECONDS = Histogram(
    "undertone_tokenization_seconds",
    "Duration of the tokenization of the texts of one call, by all tokenizers that it needs",
    buckets=(0.0005, 0.001, *_SECONDS),
)
ELSEWHERE = Counter(
    "undertone_inference_elsewhere_total",
    "Requests that one of several Tritons could not answer and that went on to another one, by gRPC's status",
    ["status"],
)
# Of the batches that both answered: what follows compares like with like.
CANARY_BATCHES = Counter(
    "undertone_canary_batches_total",
    "Batches that the canary and the version in service answered",
    ["model", "version"],
)
CANARY_POSTS = Counter(
    "undertone_canary_posts_total",
    "Posts that both answered, by whether their labels agree",
    ["model", "version", "in_service", "agrees"],
)
CANARY_SECONDS = Counter(
    "undertone_canary_seconds_total", "Duration of the batches that both answered", ["model", "version", "side"]
)
CANARY_FAILURES = Counter(
    "undertone_canary_failures_total",
    "Batches of the canary's share that the version in service had to answer",
    ["model", "version"],
)
