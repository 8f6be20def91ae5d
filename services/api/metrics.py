"""What the API counts, in Prometheus' terms, in a registry of its own."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from services.api.feed.metrics import LiveMetrics
from services.api.ingest.metrics import IngestMetrics
from services.common.cluster import Client
from services.common.metrics import start_at_zero
from services.common.shards import registry
from services.common.streams import dead_letter_stream, group_states, oldest_pending_s, redis_errors, summed

# From a single post on an idle machine to one that waited for hours while a server was away.
POST_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200)
LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
SIZE_BUCKETS_BYTES = (0, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216)
BUSY_REASONS = ("full", "waited")
AccessReason = Literal["missing", "unknown", "unknown_often", "scope", "unlisted", "rate", "connections"]


class StreamNumbers(NamedTuple):
    """`lag`: posts that no worker has read; `pending`: read, not acknowledged."""

    lag: int
    pending: int
    consumers: int
    dead_letters: int


class InferenceMetrics:
    """Requests that ask the models, whose turns are their own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.texts_at_work = Gauge(
            "undertone_inference_texts_at_work",
            "Texts of requests for inference that have their turn",
            registry=registry,
        )
        self.requests_waiting = Gauge(
            "undertone_inference_requests_waiting", "Requests for inference that wait for it", registry=registry
        )
        self.requests_refused = Counter(
            "undertone_inference_requests_refused",
            "Requests for inference answered with 429: full (too many waited already) or waited (for too long)",
            ["reason"],
            registry=registry,
        )
        start_at_zero(self.requests_refused, BUSY_REASONS)


class ApiMetrics:
    """Every metric of one API."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        by_route = ["method", "route", "status"]
        self.requests = Counter("undertone_http_requests", "Requests answered", by_route, registry=registry)
        self.request_seconds = Histogram(
            "undertone_http_request_duration_seconds",
            "Time from request to the end of its answer",
            ["method", "route"],
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.requests_in_flight = Gauge(
            "undertone_http_requests_in_flight", "Requests whose answer has not ended", registry=registry
        )
        self.response_bytes = Histogram(
            "undertone_http_response_bytes",
            "Bytes of an answer's body, as sent: compressed where the client takes that",
            ["route"],
            buckets=SIZE_BUCKETS_BYTES,
            registry=registry,
        )
        self.requests_at_work = Gauge(
            "undertone_http_requests_at_work", "Requests that have a permit now", registry=registry
        )
        self.requests_waiting = Gauge(
            "undertone_http_requests_waiting", "Requests that wait for a permit now", registry=registry
        )
        self.requests_refused = Counter(
            "undertone_http_requests_refused",
            "Requests answered with 429: full (too many waited already) or waited (for too long)",
            ["reason"],
            registry=registry,
        )
        start_at_zero(self.requests_refused, BUSY_REASONS)
        self.access_refused = Counter(
            "undertone_access_refused",
            "Requests and live connections refused: missing (no key), unknown (a wrong one), unknown_often, scope, "
            "unlisted (the route needs a scope that nobody wrote down), rate, connections; with the key's name",
            ["reason", "key"],
            registry=registry,
        )
        for reason in get_args(AccessReason):
            self.access_refused.labels(reason, "")
        self.live = LiveMetrics(registry)
        self.ingest = IngestMetrics(registry)
        self.posts_left_out = Counter(
            "undertone_feed_posts_left_out", "Posts that the live feed did not show: it was a sample", registry=registry
        )
        self.post_seconds = Histogram(
            "undertone_post_latency_seconds",
            "From a post's arrival in the stream until this process hands it to its browsers",
            buckets=POST_BUCKETS_S,
            registry=registry,
        )
        self.bad_messages = Counter(
            "undertone_channel_bad_messages", "Messages on the results channel that were skipped", registry=registry
        )
        # Not "job": that is what Prometheus calls a service.
        self.task_up = Gauge(
            "undertone_task_up", "1: the background work or probe succeeded recently", ["task"], registry=registry
        )
        self.task_succeeded = Gauge(
            "undertone_task_last_success_timestamp_seconds",
            "When it last succeeded; 0: never",
            ["task"],
            registry=registry,
        )
        self.task_failures = Counter("undertone_task_failures", "Runs that failed", ["task"], registry=registry)
        self.stream_lag = Gauge("undertone_stream_lag", "Posts that no worker has read", registry=registry)
        self.stream_pending = Gauge("undertone_stream_pending", "Posts read, not acknowledged", registry=registry)
        self.stream_consumers = Gauge(
            "undertone_stream_consumers",
            "Consumers known to the group; of several shards, the workers that live",
            registry=registry,
        )
        self.shard_lag = Gauge(
            "undertone_shard_lag",
            "Posts of a shard that no worker has read; where there are several",
            ["shard"],
            registry=registry,
        )
        self.shard_pending = Gauge(
            "undertone_shard_pending", "Posts of a shard read, not acknowledged", ["shard"], registry=registry
        )
        self.oldest_pending_s = Gauge(
            "undertone_stream_oldest_pending_seconds",
            "How long ago the oldest pending post came into the stream; 0: none is pending",
            registry=registry,
        )
        self.dead_letters = Gauge("undertone_dead_letters", "Posts given up", registry=registry)
        # The same for those who read them here; None while Redis is away.
        self.stream: StreamNumbers | None = None

        self.inference = InferenceMetrics(registry)

    def text(self) -> bytes:
        """The exposition in Prometheus' text format; the process's own metrics and those of libraries follow ours."""
        return generate_latest(self.registry) + generate_latest()

    async def observe_stream(self, redis: Client, stream: str, streams: Sequence[str], group: str) -> None:
        """Takes the stream's numbers, of all `streams` (its shards); NaN, not the last ones, while Redis is away
        (Transient).
        """
        gauges = (self.stream_lag, self.stream_pending, self.stream_consumers, self.dead_letters)
        try:
            states = await group_states(redis, streams, group)
            oldest_s = max([await oldest_pending_s(redis, each, group) for each in streams])
            with redis_errors():
                dead = sum([int(await redis.xlen(dead_letter_stream(each))) for each in streams])
                workers = int(await redis.zcard(registry(stream))) if len(streams) > 1 else states[0].consumers
        except BaseException:
            for gauge in (*gauges, self.oldest_pending_s):
                gauge.set(float("nan"))
            self.shard_lag.clear()
            self.shard_pending.clear()
            self.stream = None
            raise
        state = summed(states)
        self.stream = StreamNumbers(state.lag, state.pending, workers, dead)
        if len(streams) > 1:
            for shard, each in enumerate(states):
                self.shard_lag.labels(shard).set(each.lag)
                self.shard_pending.labels(shard).set(each.pending)
        for gauge, value in zip(gauges, self.stream, strict=True):
            gauge.set(value)
        self.oldest_pending_s.set(oldest_s)
