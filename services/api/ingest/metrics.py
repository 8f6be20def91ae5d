"""What is counted of posts that programs send."""

from typing import get_args

from prometheus_client import CollectorRegistry, Counter

from services.api.schemas.ingest import Status
from services.common.metrics import start_at_zero

REFUSALS = ("behind", "full", "conflict", "reused")


class IngestMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.posts = Counter(
            "undertone_ingest_posts",
            "Posts that were sent to the API: accepted, duplicate (of one in the same request) or rejected",
            ["status"],
            registry=registry,
        )
        start_at_zero(self.posts, get_args(Status))
        self.refused = Counter(
            "undertone_ingest_requests_refused",
            "Requests with posts that were refused: behind (the workers are), full (too many at once), conflict (one "
            "with the same Idempotency-Key is at work) or reused (that key had another body before)",
            ["reason"],
            registry=registry,
        )
        start_at_zero(self.refused, REFUSALS)
