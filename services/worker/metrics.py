"""What a worker counts and times."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

READY = Gauge("undertone_worker_ready", "1 while schema, consumer group and models are there and all servers answer")
HEARTBEAT = Gauge("undertone_worker_heartbeat_timestamp_seconds", "When the event loop last ran")
POSTS_STORED = Counter("undertone_worker_posts_stored_total", "Posts that were new and are stored with their analysis")
POSTS_REDELIVERED = Counter("undertone_worker_posts_redelivered_total", "Posts that had been stored before, or deleted")
POSTS_DELETED = Counter("undertone_worker_posts_deleted_total", "Posts that were stored, and deleted by an entry")
DEAD_LETTERS = Counter("undertone_worker_dead_letters_total", "Posts that were refused", ["reason"])
STAGE_SECONDS = Histogram(
    "undertone_worker_stage_seconds", "Duration of a stage for one batch", ["stage"], buckets=_SECONDS
)
BATCH_POSTS = Histogram(
    "undertone_worker_batch_posts", "Posts in a batch", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
)
SHARDS = Gauge("undertone_worker_shards", "Shards that this worker reads; 0: it stands by, or there is one stream only")
LAG = Gauge("undertone_worker_stream_lag", "Entries that no worker has read")
PENDING = Gauge("undertone_worker_stream_pending", "Entries that were read and not yet acknowledged")
