"""Every setting, read once from the environment (and `.env`) by each service's `__main__`.

`python -m services.common.settings` prints `.env.example`; a test holds the two together.
"""

import sys
import unicodedata
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qsl, quote, urlsplit

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.common.addresses import check_host, check_url, hosts_and_ports, in_url, origin_of, with_query
from services.common.api_keys import ApiKey, read_api_keys
from services.common.certificates import check_certificates
from services.common.cpu_runtime import CpuRuntime
from services.common.errors import ConfigurationError
from services.common.messages import MAX_CONTENT_CHARS
from services.common.rule_settings import read_languages, read_masked
from services.common.shards import MAX_SHARDS, has_hash_tag, shard_streams
from services.common.source_days_setting import read_source_days
from services.common.triton_config import TritonConfig
from services.common.webhook_setting import read_webhooks

Port = Annotated[int, Field(ge=1, le=65_535)]
# 0 switches a port off.
OptionalPort = Annotated[int, Field(ge=0, le=65_535)]
# What a complaint shows of a value.
MAX_SHOWN_CHARS = 80


class Settings(BaseSettings):
    """Names are the environment's, in lower case; a URL wins over the parts that it is made of."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True, allow_inf_nan=False
    )

    database_url: str = Field("", description="postgresql://user:password@host:port/database; empty: from the parts")
    postgres_host: str = Field("localhost", description="PostgreSQL, where DATABASE_URL is empty")
    postgres_port: Port = 5432
    postgres_user: str = "undertone"
    postgres_password: str = Field("", description="`make run` generates its own")
    postgres_db: str = "undertone"
    postgres_tls_ca: str = Field(
        "", description="file with the certificates (PEM) that PostgreSQL's is checked against; empty: as the URL says"
    )

    postgres_direct_dsn: str = Field(
        "",
        description="the server itself, as DATABASE_URL, which then leads to PgBouncer in transaction mode: for "
        "migrations and upkeep; empty: DATABASE_URL is the server",
    )
    postgres_read_dsn: str = Field(
        "", description="a replica, as DATABASE_URL, for what the API only reads; empty: DATABASE_URL"
    )

    redis_url: str = Field("", description="redis://:password@host:port/0; empty: from the parts")
    redis_host: str = Field("localhost", description="Redis, where REDIS_URL is empty")
    redis_port: Port = 6379
    redis_user: str = Field("", description="of Redis' users (deploy/redis); empty: its default user")
    redis_password: str = Field("", description="`make run` generates its own")
    redis_tls_ca: str = Field(
        "", description="file with the certificates (PEM) that Redis' is checked against; empty: as the URL says"
    )
    redis_cluster: bool = Field(
        False, description="true: that is any node of a Redis Cluster (docs/scaling.md); needs STREAM_SHARDS"
    )
    redis_stream_name: str = Field("social_posts_stream", min_length=1)
    stream_shards: int = Field(
        1,
        ge=1,
        le=MAX_SHARDS,
        description="streams that posts are spread over by their ids, the same for all services (docs/scaling.md)",
    )
    redis_min_replicas: int = Field(
        0, ge=0, le=10, description="replicas that must have a post before it counts as published (WAIT); 0: none"
    )
    redis_consumer_group: str = Field("sentiment_workers", min_length=1)
    max_stream_lag: int = Field(
        100_000, ge=1, description="posts waiting unread at which the ingester pauses until workers catch up"
    )

    triton_url: str = Field(
        "localhost:8001",
        description="Triton's gRPC endpoint, host:port; several with a comma between, or a name with several addresses "
        "(a headless service), share the requests",
    )
    triton_key: str = Field(
        "", repr=False, description="the key of its restricted protocols, as it was started with; empty: none are"
    )
    triton_tls_ca: str = Field(
        "", description="file with the certificates (PEM) that Triton's is checked against; empty: no TLS"
    )
    triton_metrics_url: str = Field(
        "",
        description="http://localhost:8002/metrics, for its GPU, CPU and memory on the dashboard, several with a comma "
        "between; empty: without",
    )
    model_repository: Path = Field(Path("model_repository"), description="the folder that Triton serves (tokenizers)")
    sentiment_model: str = Field("sentiment", description="Triton's name of the sentiment model")
    emotion_triton_model: str = Field("emotion", description="Triton's name of the emotion model")
    cpu_runtime: CpuRuntime = Field(
        "auto", description="what computes on the CPU in `make run`'s Triton; auto: the fastest found on this machine"
    )
    huggingface_model: str = Field(
        "distilbert-base-uncased-finetuned-sst-2-english", description="checkpoint that the exporter takes (sentiment)"
    )
    emotion_model: str = Field(
        "j-hartmann/emotion-english-distilroberta-base", description="checkpoint that the exporter takes (emotion)"
    )
    inference_timeout_s: float = Field(30.0, gt=0, le=3_600, description="deadline of one request to Triton")
    model_refresh_s: float = Field(
        2.0, gt=0, le=3_600, description="how old may be what a process knows of the versions in service; seconds"
    )
    max_tokens_per_request: int = Field(
        8_192, ge=512, le=1_000_000, description="padded tokens in one request to Triton: rows x sequence length"
    )
    max_requests_in_flight: int = Field(
        4, ge=1, le=1_000, description="requests that one process has at Triton, per model"
    )
    neutral_below: float = Field(
        0.6, ge=0.5, le=1.0, description="confidence under which a model without a neutral class counts as neutral"
    )

    worker_batch_size: int = Field(256, ge=1, le=10_000, description="posts that a worker analyses at once, at most")
    worker_batches_in_flight: int = Field(
        2, ge=1, le=64, description="batches that a worker analyses at the same time, while others are read and stored"
    )
    worker_block_ms: int = Field(1_000, ge=10, le=5_000, description="how long a worker waits for the first new post")
    worker_claim_idle_ms: int = Field(
        30_000,
        ge=100,
        le=86_400_000,
        description="a pending post unacknowledged for so long is taken over from its worker",
    )
    metrics_host: str = Field(
        "127.0.0.1", description="address that metrics of worker, ingester and keeper listen on; 0.0.0.0: everywhere"
    )
    worker_metrics_port: OptionalPort = Field(9101, description="Prometheus metrics of the worker; 0: none")

    worker_upkeep: bool = Field(
        True, description="false: workers leave partitions, roll-ups and retention to python -m services.worker.upkeep"
    )
    keeper_metrics_port: OptionalPort = Field(9103, description="Prometheus metrics of that keeper; 0: none")

    retention_days: int = Field(
        0, ge=0, le=36_500, description="days for which posts are kept, with all that counts them; 0: for ever"
    )
    retention_days_by_source: str = Field(
        "", description="fewer days for the posts of some sources, as mastodon=30,reddit=2, with all that counts them"
    )
    deletion_memory_days: int = Field(
        30,
        ge=1,
        le=36_500,
        description="days for which the ids of deleted posts are known: one that is sent again is not stored",
    )

    posts_per_minute: float = Field(60.0, gt=0, le=6_000_000, description="rate of the simulated source")
    mastodon_token: str = Field(
        "",
        repr=False,
        description="of an account on the server that --source mastodon reads; empty: without its stream",
    )
    reddit_client_id: str = Field(
        "", description="of an application of yours (https://www.reddit.com/prefs/apps), by which --source reddit reads"
    )
    reddit_client_secret: str = Field("", repr=False, description="of the same application")
    reddit_user: str = Field("", description="whose application it is: Reddit wants to be told by every program")
    feed_interval_s: int = Field(
        300, ge=60, le=86_400, description="between two requests for a feed of --source rss, and up to a fifth more"
    )
    ingester_metrics_port: OptionalPort = Field(9102, description="Prometheus metrics of the ingester; 0: none")
    rule_min_chars: int = Field(
        1,
        ge=1,
        le=MAX_CONTENT_CHARS,
        description="shorter posts are not published; docs/privacy.md has all rules",
    )
    rule_max_chars: int = Field(
        MAX_CONTENT_CHARS, ge=1, le=MAX_CONTENT_CHARS, description="longer posts are not published"
    )
    rule_languages: str = Field(
        "", description="languages of the posts that are published, as en,de; empty: any. What cannot be told passes"
    )
    rule_duplicates: Literal["pass", "exact", "near"] = Field(
        "pass", description="exact, near: what repeats the text of another post, or nearly so, is not published"
    )
    rule_duplicates_window_s: float = Field(
        3_600, gt=0, le=604_800, description="how long ago the other one may have been"
    )
    rule_mask: str = Field(
        "", description="what is masked before a post is published, as names,emails,phones,authors; empty: nothing"
    )

    api_host: str = Field("127.0.0.1", description="address that API and dashboard listen on; 0.0.0.0: everywhere")
    api_port: Port = 8000
    cors_origins: str = Field(
        "",
        description="pages of these origins may use the API too, comma between: https://a.example,http://localhost:3000",
    )
    api_keys: str = Field(
        "",
        repr=False,
        description="who may use the API: name=scope+scope:sha256, comma between, as `undertone keys new` prints them; "
        "scopes: read, ingest, admin; empty: everybody who reaches API_HOST",
    )
    api_proxy_hops: int = Field(
        0,
        ge=0,
        le=10,
        description="proxies of yours before the API, each of which adds to X-Forwarded-For; 0: that header is ignored",
    )
    api_requests_per_minute: int = Field(
        0, ge=0, le=1_000_000, description="requests of one key, or of one address without a key; 0: any number"
    )
    api_websockets_per_client: int = Field(
        100, ge=1, le=100_000, description="live connections of one key, or of one address without a key"
    )
    frontend_port: Port = Field(3000, description="port of the dashboard's own web server under Docker compose")
    frontend_dist: Path = Field(Path("frontend/dist"), description="the built dashboard, served by the API at /")
    api_requests_at_work: int = Field(
        8, ge=1, le=100, description="requests of /api that are worked on at once, each with a connection to PostgreSQL"
    )
    api_requests_waiting: int = Field(
        256, ge=0, description="requests that wait for their turn; further ones get 429 at once"
    )
    api_wait_s: float = Field(5.0, gt=0, le=600, description="a request whose turn has not come after so long gets 429")
    api_inference_texts_at_work: int = Field(
        64,
        ge=1,
        le=10_000,
        description="texts of /predict and /api/analyze that are worked on at once; Triton merges those of all callers",
    )
    api_inferences_waiting: int = Field(
        256, ge=0, description="such requests that wait, API_WAIT_S at most; further ones get 429 at once"
    )
    api_inference_max_texts: int = Field(32, ge=1, le=10_000, description="texts in one of them; more are refused")
    api_inference_max_chars: int = Field(
        40_000, ge=1, le=10_000_000, description="characters of one of its texts; longer ones are refused, not cut"
    )
    api_inference_max_body_bytes: int = Field(
        1_000_000,
        ge=1_000,
        le=1_000_000_000,
        description="its body; larger ones get 413. Every connection may hold so much memory while it sends",
    )
    api_exports_at_once: int = Field(
        2, ge=1, le=100, description="files of posts that may be downloaded at once; further requests for one get 429"
    )
    api_ingests_at_once: int = Field(
        8, ge=1, le=1_000, description="requests that send posts (POST /api/posts) at once; further ones get 429"
    )
    api_ingest_max_posts: int = Field(10_000, ge=1, le=100_000, description="posts in one of them; more are refused")
    api_ingest_max_body_bytes: int = Field(
        2_000_000,
        ge=1_000,
        le=100_000_000,
        description="its body, where that is one post or an array; larger ones get 413. Each may hold so much memory",
    )
    api_ingest_max_stream_bytes: int = Field(
        32_000_000,
        ge=1_000,
        le=10_000_000_000,
        description="its body, where that is a stream of lines (NDJSON), of which a piece is in memory at a time",
    )
    websocket_queue_size: int = Field(
        256, ge=1, le=100_000, description="messages waiting for one browser; beyond it the oldest are dropped"
    )
    max_websocket_clients: int = Field(500, ge=1, le=100_000, description="further browsers are refused with code 1013")
    feed_posts_per_s: int = Field(
        200, ge=0, description="posts a second in the live feed, at most: of more, an even sample; 0: all of them"
    )
    feed_frames_per_s: int = Field(
        15_000,
        ge=0,
        description="and to all browsers of a process together, half of what a core can send: the more there are, "
        "the smaller the sample; 0: any number",
    )

    alert_negative_ratio_threshold: float = Field(0.5, gt=0, lt=1)
    alert_window_minutes: int = Field(5, ge=1, le=1_440)
    alert_min_posts: int = Field(10, ge=1)
    alert_interval_s: float = Field(10.0, gt=0, le=3_600, description="how often the alert rules are evaluated")
    alert_webhooks: str = Field(
        "",
        repr=False,
        description="who is told of alerts: names and URLs (%2C for a comma in them), as ops=https://hooks.example/T0/B0",
    )

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"

    traces_endpoint: str = Field(
        "",
        description="http://localhost:4318, a collector of OpenTelemetry's traces (OTLP over HTTP); empty: no traces",
    )
    traces_sample_ratio: float = Field(
        0.01, ge=0, le=1, description="share of the posts, and of the requests to the API, that are traced"
    )

    local_dir: Path = Field(Path(".local"), description="where `make run` keeps its data, logs and passwords")
    local_postgres_port: Port = Field(54329, description="ports of `make run`'s own servers")
    local_redis_port: Port = 63790
    local_triton_grpc_port: Port = 8001
    local_triton_metrics_port: Port = 8002
    local_triton_config: TritonConfig = Field(
        "cpu", description="what `make run`'s Triton computes on: cpu, or an NVIDIA GPU with gpu-ort, gpu or gpu-trt"
    )

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator("*", mode="before")
    @classmethod
    def _spellable(cls, value: object) -> object:
        if isinstance(value, str) and any(unicodedata.category(char) in ("Cc", "Cs") for char in value):
            raise ValueError("has control characters, or bytes that are not UTF-8")
        return value

    @field_validator("triton_url")
    @classmethod
    def _hosts_and_ports(cls, value: str) -> str:
        return ",".join(hosts_and_ports(value, schemes=("grpc://", "dns:///")))

    @field_validator("triton_key", "mastodon_token", "reddit_client_id", "reddit_client_secret", "reddit_user")
    @classmethod
    def _in_a_header(cls, value: str) -> str:
        if not all("!" <= sign <= "~" for sign in value):
            raise ValueError("expected printable ASCII without spaces")
        return value

    @field_validator("postgres_tls_ca", "redis_tls_ca", "triton_tls_ca")
    @classmethod
    def _certificates(cls, value: str) -> str:
        check_certificates(value)
        return value

    @field_validator("redis_tls_ca")
    @classmethod
    def _not_beside_a_plain_url(cls, value: str, info: ValidationInfo) -> str:
        url = info.data.get("redis_url", "")
        if value and url and not url.startswith("rediss://"):
            raise ValueError("asks for TLS, and REDIS_URL for none: let that begin with rediss://")
        return value

    @field_validator("stream_shards")
    @classmethod
    def _one_slot_a_shard(cls, value: int, info: ValidationInfo) -> int:
        stream = info.data.get("redis_stream_name", "")
        if value > 1 and has_hash_tag(stream):
            raise ValueError("several shards need a REDIS_STREAM_NAME without braces: they end it with their own")
        if value == 1 and info.data.get("redis_cluster") and not has_hash_tag(stream):
            raise ValueError(
                "a Redis Cluster needs 2 shards at least, or a REDIS_STREAM_NAME with braces as {posts}, "
                "so that a stream and its dead letters are on one node"
            )
        return value

    @field_validator("rule_max_chars")
    @classmethod
    def _not_below_the_least(cls, value: int, info: ValidationInfo) -> int:
        least = info.data.get("rule_min_chars", 1)
        if value < least:
            raise ValueError(f"is less than RULE_MIN_CHARS ({least}): no post would pass")
        return value

    @field_validator("retention_days_by_source")
    @classmethod
    def _days_by_source(cls, value: str) -> str:
        read_source_days(value)
        return value

    @field_validator("rule_languages")
    @classmethod
    def _languages(cls, value: str) -> str:
        read_languages(value)
        return value

    @field_validator("rule_mask")
    @classmethod
    def _masked(cls, value: str) -> str:
        read_masked(value)
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: str) -> str:
        return ",".join(origin_of(part) for part in value.split(",") if part.strip())

    @field_validator("postgres_host", "redis_host", "api_host", "metrics_host")
    @classmethod
    def _host(cls, value: str) -> str:
        check_host(value)
        return value

    @field_validator("postgres_db")
    @classmethod
    def _name_in_url(cls, value: str) -> str:
        if any(sign in value for sign in "/?#%"):
            raise ValueError("expected a name without the signs / ? # %")
        return value

    @field_validator("database_url", "postgres_direct_dsn", "postgres_read_dsn")
    @classmethod
    def _plain_scheme(cls, value: str) -> str:
        value = value.replace("postgresql+asyncpg://", "postgresql://", 1).replace("postgres://", "postgresql://", 1)
        expected = "postgresql://user:password@host:port/database"
        if value and not value.startswith("postgresql://"):
            raise ValueError(f"expected {expected}")
        check_url(value, expected)
        return value

    @field_validator("redis_url")
    @classmethod
    def _redis_scheme(cls, value: str) -> str:
        expected = "redis://:password@host:port/0"
        if value and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError(f"expected {expected}")
        check_url(value, expected)
        return value

    @field_validator("triton_metrics_url")
    @classmethod
    def _http(cls, value: str) -> str:
        expected = "http://host:port/metrics"
        urls = [url.strip() for url in value.split(",")] if value else []
        for url in urls:
            if not (url.startswith(("http://", "https://")) and url.rpartition("://")[2].strip("/")):
                raise ValueError(f"expected {expected}, or several with a comma between")
            check_url(url, expected)
        return ",".join(urls)

    @field_validator("traces_endpoint")
    @classmethod
    def _collector(cls, value: str) -> str:
        expected = "http://host:port"
        if value and not (value.startswith(("http://", "https://")) and value.rpartition("://")[2].strip("/")):
            raise ValueError(f"expected {expected}")
        check_url(value, expected)
        return value.rstrip("/")

    @field_validator("alert_webhooks")
    @classmethod
    def _names_and_urls(cls, value: str) -> str:
        read_webhooks(value)
        return value

    @field_validator("api_keys")
    @classmethod
    def _names_and_digests(cls, value: str) -> str:
        read_api_keys(value)
        return value

    @cached_property
    def known_keys(self) -> tuple[ApiKey, ...]:
        """Those of API_KEYS, by which callers are known."""
        return read_api_keys(self.api_keys)

    @cached_property
    def webhooks(self) -> dict[str, str]:
        """The URLs of ALERT_WEBHOOKS by their names. They are secrets."""
        return read_webhooks(self.alert_webhooks)

    @cached_property
    def database_dsn(self) -> str:
        """`postgresql://…`, from DATABASE_URL, whose sslmode wins over POSTGRES_TLS_CA, or the POSTGRES_ parts."""
        user, password = quote(self.postgres_user, safe=""), quote(self.postgres_password, safe="")
        where = f"{in_url(self.postgres_host)}:{self.postgres_port}/{self.postgres_db}"
        return self._checking_certificates(self.database_url or f"postgresql://{user}:{password}@{where}")

    @cached_property
    def direct_dsn(self) -> str:
        """Where sessions are a client's own: for locks and settings that outlast a transaction, and for migrations."""
        return self._checking_certificates(self.postgres_direct_dsn) or self.database_dsn

    @cached_property
    def read_dsn(self) -> str:
        """For what only reads, and may be read a little late."""
        return self._checking_certificates(self.postgres_read_dsn) or self.database_dsn

    @property
    def shares_sessions(self) -> bool:
        """Whether PgBouncer gives each transaction a session that others use as well."""
        return bool(self.postgres_direct_dsn)

    def _checking_certificates(self, url: str) -> str:
        if not url or not self.postgres_tls_ca or "sslmode" in dict(parse_qsl(urlsplit(url).query)):
            return url
        return with_query(url, sslmode="verify-full", sslrootcert=self.postgres_tls_ca)

    @cached_property
    def allowed_origins(self) -> frozenset[str]:
        """CORS_ORIGINS as browsers write them; our own origin needs no mention."""
        return frozenset(self.cors_origins.split(",")) - {""}

    @cached_property
    def streams(self) -> tuple[str, ...]:
        """The stream, or its shards."""
        return shard_streams(self.redis_stream_name, self.stream_shards)

    @cached_property
    def redis_dsn(self) -> str:
        """`redis://…`, from REDIS_URL or the REDIS_ parts."""
        user, password = quote(self.redis_user, safe=""), quote(self.redis_password, safe="")
        login = f"{user}:{password}@" if user or password else ""
        scheme = "rediss" if self.redis_tls_ca else "redis"
        url = self.redis_url or f"{scheme}://{login}{in_url(self.redis_host)}:{self.redis_port}/0"
        return with_query(url, ssl_ca_certs=self.redis_tls_ca) if self.redis_tls_ca else url


def read_settings() -> Settings:
    """The settings; ConfigurationError lists everything that is wrong with them, all of it at once."""
    try:
        return Settings()
    except ValidationError as error:
        complaints = "\n".join(
            f"  {_complaint(e['loc'], e['msg'].removeprefix('Value error, '), e['input'])}" for e in error.errors()
        )
        raise ConfigurationError(f"the environment (or .env) has settings that are not usable:\n{complaints}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f".env is not UTF-8 ({error.reason} at byte {error.start}); save it as such") from None
    except OSError as error:
        raise ConfigurationError(f".env cannot be read ({error.strerror}); check its permissions") from None


def _complaint(location: tuple[int | str, ...], message: str, value: object) -> str:
    name = ".".join(map(str, location)).upper()
    # A URL may hold a password, and logs are read by many.
    if name.endswith(("_URL", "_DSN", "_ENDPOINT", "PASSWORD", "_WEBHOOKS", "_KEY", "_KEYS", "_TOKEN")):
        return f"{name}: {message}"
    return f"{name}: {message} (got {repr(value)[:MAX_SHOWN_CHARS]})"


def env_example() -> str:
    """The text of `.env.example`: every setting with its default, commented out."""
    lines = ["# Every setting with its default. Copy to .env and uncomment what you change."]
    for name, field in Settings.model_fields.items():
        lines += ["", f"# {field.description}"] if field.description else []
        lines.append(f"#{name.upper()}={field.get_default()}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(env_example())
