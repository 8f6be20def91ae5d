"""Settings come from the environment; what is wrong with them is told all at once."""

import os
from pathlib import Path

import pytest
import trustme
from hypothesis import HealthCheck, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from services.common.errors import ConfigurationError
from services.common.settings import Settings, env_example, read_settings
from tests import hostile

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_the_example_file_is_the_settings() -> None:
    assert (ROOT / ".env.example").read_text() == env_example(), (
        "run: python -m services.common.settings > .env.example"
    )


def test_the_example_file_uncommented_is_the_defaults(tmp_path: Path) -> None:
    lines = env_example().splitlines()
    (tmp_path / ".env").write_text("\n".join(line.removeprefix("#") for line in lines if not line.startswith("# ")))
    assert read_settings() == Settings(_env_file=None)


def test_everything_wrong_is_listed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {"API_PORT": "http", "POSTS_PER_MINUTE": "-1", "TRITON_URL": "nowhere", "REDIS_URL": "ftp://x"}
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as refusal:
        read_settings()
    assert all(name in str(refusal.value) for name in wrong)


def test_a_secret_is_not_repeated_in_the_complaint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://user:hunter2@db/x")
    with pytest.raises(ConfigurationError) as refusal:
        read_settings()
    assert "hunter2" not in str(refusal.value)
    assert "DATABASE_URL" in str(refusal.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+asyncpg", "postgres"])
def test_every_usual_scheme_of_a_database_url_is_accepted(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("DATABASE_URL", f"{scheme}://u:p@h:1/d")
    assert read_settings().database_dsn == "postgresql://u:p@h:1/d"


def test_urls_are_built_from_their_parts_with_passwords_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTGRES_PASSWORD", "p@ss/word")
    monkeypatch.setenv("REDIS_PASSWORD", "a:b")
    settings = read_settings()
    assert settings.database_dsn == "postgresql://undertone:p%40ss%2Fword@localhost:5432/undertone"
    assert settings.redis_dsn == "redis://:a%3Ab@localhost:6379/0"


def test_what_reads_and_what_needs_sessions_may_go_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@pooler:6432/d")
    settings = read_settings()
    assert (settings.read_dsn, settings.direct_dsn) == (settings.database_dsn, settings.database_dsn)
    assert not settings.shares_sessions
    monkeypatch.setenv("POSTGRES_DIRECT_DSN", "postgres://u:p@server/d")
    monkeypatch.setenv("POSTGRES_READ_DSN", "postgresql+asyncpg://u:p@replica/d")
    settings = read_settings()
    assert settings.direct_dsn == "postgresql://u:p@server/d"
    assert settings.read_dsn == "postgresql://u:p@replica/d"
    assert settings.shares_sessions


def test_a_user_of_redis_is_part_of_its_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_USER", "work/er")
    monkeypatch.setenv("REDIS_PASSWORD", "a@b")
    assert read_settings().redis_dsn == "redis://work%2Fer:a%40b@localhost:6379/0"


def test_an_empty_variable_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_PORT", "")
    assert read_settings().api_port == 8000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_PORT", "1e400"),
        ("API_PORT", "٨٠"),
        ("API_PORT", "9" * 5_000),
        ("API_HOST", "a" * 64),
        ("API_HOST", "a..b"),
        ("POSTGRES_HOST", "user@host"),
        ("POSTGRES_DB", "a?b"),
        ("TRITON_URL", "host:²"),
        ("TRITON_URL", "host:0"),
        ("TRITON_URL", "host:65536"),
        ("TRITON_URL", "a host:1"),
        ("TRITON_URL", "a:8001,"),
        ("TRITON_URL", "a:8001,b"),
        ("TRITON_URL", "a:8001, grpc://a:8001"),
        ("TRITON_URL", "dns://resolver/triton:8001"),
        ("TRITON_METRICS_URL", "http://a:8002/metrics,b:8002"),
        ("TRITON_METRICS_URL", "host:8002"),
        ("TRITON_METRICS_URL", "http://"),
        ("TRITON_METRICS_URL", "http://host:port/metrics"),
        ("TRACES_ENDPOINT", "localhost:4318"),
        ("TRACES_ENDPOINT", "http://"),
        ("TRACES_ENDPOINT", "http://host:port"),
        ("TRACES_SAMPLE_RATIO", "1.1"),
        ("REDIS_URL", "redis://host:port"),
        ("REDIS_URL", "redis://[::1"),
        ("REDIS_URL", "redis://host:0"),
        ("DATABASE_URL", "postgresql://host:65536/d"),
        ("DATABASE_URL", f"postgresql://{'a' * 64}/d"),
        ("POSTGRES_READ_DSN", "replica:5432"),
        ("POSTGRES_DIRECT_DSN", "redis://host/0"),
        ("INFERENCE_TIMEOUT_S", "inf"),
        ("ALERT_NEGATIVE_RATIO_THRESHOLD", "nan"),
        ("RETENTION_DAYS", "9" * 30),
        ("RETENTION_DAYS_BY_SOURCE", "mastodon"),
        ("RETENTION_DAYS_BY_SOURCE", "mastodon=0"),
        ("RETENTION_DAYS_BY_SOURCE", "mastodon=" + "9" * 5_000),
        ("RETENTION_DAYS_BY_SOURCE", "x" * 5_000 + "=3"),
        ("RETENTION_DAYS_BY_SOURCE", "reddit=3,mastodon=2,reddit=4"),
        ("WORKER_BLOCK_MS", "60000"),
        ("LOCAL_DIR", "a\x1bb"),
        ("POSTGRES_PASSWORD", os.fsdecode(b"\xff\xfe")),
        ("LOG_LEVEL", "İnfo"),
    ],
)
def test_what_would_end_a_service_with_a_traceback_is_told_at_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as refusal:
        read_settings()
    assert f"{name}: " in str(refusal.value)
    assert len(str(refusal.value)) < 500


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql://u:s/ecret@host/d"),
        ("DATABASE_URL", "postgresql://u:12#secret@host/d"),
        ("POSTGRES_READ_DSN", "postgresql://u:s/ecret@host/d"),
        ("REDIS_URL", "redis://:s/ecret@host:1"),
    ],
)
def test_a_password_that_a_url_cannot_have_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as refusal:
        read_settings()
    assert "ecret" not in str(refusal.value)
    assert "%2F" in str(refusal.value)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("gpu:8001", "gpu:8001"),
        ("grpc://gpu:8001", "gpu:8001"),
        ("dns:///triton.svc:8001", "triton.svc:8001"),
        ("a:8001, grpc://b:8001,[::1]:1", "a:8001,b:8001,[::1]:1"),
    ],
)
def test_several_tritons_are_named_with_commas_between(monkeypatch: pytest.MonkeyPatch, given: str, read: str) -> None:
    monkeypatch.setenv("TRITON_URL", given)
    assert read_settings().triton_url == read


def test_an_address_of_ipv6_needs_no_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTGRES_HOST", "::1")
    monkeypatch.setenv("REDIS_HOST", "[fe80::1]")
    assert read_settings().database_dsn == "postgresql://undertone:@[::1]:5432/undertone"
    assert read_settings().redis_dsn == "redis://[fe80::1]:6379/0"


@examples(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(
    raw=st.one_of(
        hostile.raw_texts(), st.lists(st.sampled_from(env_example().splitlines())).map("\n".join).map(str.encode)
    )
)
@example(b"\xff\xfeA\x00P\x00I\x00")
@example(b'API_HOST="a\x00b"')
@example(b"API_HOST=${API_HOST}")
def test_any_file_is_settings_or_a_sentence(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / ".env").write_bytes(raw)
    try:
        settings = read_settings()
    except ConfigurationError as refusal:
        assert len(str(refusal)) < 50_000
    else:
        assert settings.database_dsn.encode()
        assert settings.redis_dsn.encode()


def test_webhooks_are_names_and_urls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERT_WEBHOOKS", "ops=https://hooks.example/T0/B0?a=b, team-2=http://u:p@[::1]:8080/x%2Cy,")
    assert read_settings().webhooks == {
        "ops": "https://hooks.example/T0/B0?a=b",
        "team-2": "http://u:p@[::1]:8080/x%2Cy",
    }


def test_without_webhooks_there_are_none() -> None:
    assert read_settings().webhooks == {}


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("https://hooks.example/secret", "entry 1: expected name=https"),
        ("Ops=https://hooks.example/secret", "entry 1: expected name"),
        ("=https://hooks.example/secret", "entry 1: expected name"),
        ("a=https://x/secret,a=https://y/secret", "entry 2: there is a webhook a before it"),
        ("a=ftp://x/secret", "the URL of a is not usable"),
        ("a=https:///secret", "the URL of a is not usable"),
        ("a=https://x:0/secret", "the URL of a is not usable"),
        ("a=https://x:99999/secret", "the URL of a is not usable"),
        ("a=https://x/secret#part", "the URL of a is not usable"),
        ("a=https://x/se cret", "the URL of a is not usable"),
        ("a=https://exämple/secret", "the URL of a is not usable"),
        ("a=https://[x/secret", "the URL of a is not usable"),
        (",".join(f"w{n}=https://x/secret" for n in range(11)), "11 webhooks are more than 10"),
    ],
)
def test_a_webhook_that_is_none_is_told_at_the_start_without_its_url(
    monkeypatch: pytest.MonkeyPatch, value: str, complaint: str
) -> None:
    monkeypatch.setenv("ALERT_WEBHOOKS", value)
    with pytest.raises(ConfigurationError) as refusal:
        read_settings()
    assert complaint in str(refusal.value)
    assert "secret" not in str(refusal.value)
    assert "se cret" not in str(refusal.value)


def test_settings_do_not_show_the_urls_of_webhooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERT_WEBHOOKS", "ops=https://hooks.example/secret")
    assert "secret" not in repr(read_settings())


@pytest.mark.parametrize(
    ("written", "origins"),
    [
        ("", set()),
        (" , ", set()),
        ("https://a.example", {"https://a.example"}),
        ("HTTPS://A.example:443/, http://localhost:3000", {"https://a.example", "http://localhost:3000"}),
        ("http://a.example:80,http://a.example", {"http://a.example"}),
        ("http://[::1]:8080", {"http://[::1]:8080"}),
    ],
)
def test_origins_are_written_as_browsers_send_them(
    monkeypatch: pytest.MonkeyPatch, written: str, origins: set[str]
) -> None:
    monkeypatch.setenv("CORS_ORIGINS", written)
    assert read_settings().allowed_origins == origins


@pytest.mark.parametrize(
    "written",
    [
        "*",
        "a.example",
        "ftp://a.example",
        "https://a.example/page",
        "https://u:p@a.example",
        "https://",
        "null",
        "https://a.example:0x",
        "https://a.example:99999",
        "https://a.example https://b.example",
        "https://*.example",
        "https://a.example,*",
    ],
)
def test_what_is_no_origin_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    monkeypatch.setenv("CORS_ORIGINS", written)
    with pytest.raises(ConfigurationError, match=r"CORS_ORIGINS: .*origins"):
        read_settings()


@pytest.fixture
def certificates(tmp_path: Path) -> str:
    file = tmp_path / "our ca.pem"
    trustme.CA().cert_pem.write_to_path(file)
    return str(file)


def test_certificates_are_asked_for_by_the_urls(monkeypatch: pytest.MonkeyPatch, certificates: str) -> None:
    quoted = certificates.replace("/", "%2F").replace(" ", "%20")
    monkeypatch.setenv("POSTGRES_TLS_CA", certificates)
    monkeypatch.setenv("REDIS_TLS_CA", certificates)
    settings = read_settings()
    assert settings.database_dsn.endswith(f"/undertone?sslmode=verify-full&sslrootcert={quoted}")
    assert settings.redis_dsn == f"rediss://localhost:6379/0?ssl_ca_certs={quoted}"
    monkeypatch.setenv("DATABASE_URL", "postgresql://u@h/d?application_name=x")
    monkeypatch.setenv("REDIS_URL", "rediss://h:1/0")
    settings = read_settings()
    assert settings.database_dsn.endswith(f"/d?application_name=x&sslmode=verify-full&sslrootcert={quoted}")
    assert settings.redis_dsn == f"rediss://h:1/0?ssl_ca_certs={quoted}"
    monkeypatch.setenv("DATABASE_URL", "postgresql://u@h/d?sslmode=disable")
    assert read_settings().database_dsn == "postgresql://u@h/d?sslmode=disable"


def test_a_plain_url_beside_certificates_is_told_and_not_followed(
    monkeypatch: pytest.MonkeyPatch, certificates: str
) -> None:
    monkeypatch.setenv("REDIS_TLS_CA", certificates)
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2@h:1/0")
    with pytest.raises(ConfigurationError, match=r"REDIS_TLS_CA: .*rediss://") as refusal:
        read_settings()
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize("name", ["POSTGRES_TLS_CA", "REDIS_TLS_CA", "TRITON_TLS_CA"])
def test_a_file_without_certificates_is_told_at_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    (tmp_path / "empty.pem").write_text("")
    (tmp_path / "key.pem").write_bytes(trustme.CA().private_key_pem.bytes())
    for file in ("missing.pem", "empty.pem", "key.pem", "."):
        monkeypatch.setenv(name, str(tmp_path / file))
        with pytest.raises(ConfigurationError, match=rf"{name}: .*(cannot be read|no certificates)"):
            read_settings()


@pytest.mark.parametrize("key", ["two words", "grün"])
def test_a_key_that_no_header_can_have_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("TRITON_KEY", key)
    with pytest.raises(ConfigurationError, match="TRITON_KEY: expected printable ASCII") as refusal:
        read_settings()
    assert key not in str(refusal.value)


@pytest.mark.parametrize(
    ("given", "streams"),
    [
        ({}, ("social_posts_stream",)),
        ({"STREAM_SHARDS": "2"}, ("social_posts_stream:{0}", "social_posts_stream:{1}")),
        ({"STREAM_SHARDS": "2", "REDIS_CLUSTER": "true"}, ("social_posts_stream:{0}", "social_posts_stream:{1}")),
        ({"REDIS_CLUSTER": "true", "REDIS_STREAM_NAME": "{posts}"}, ("{posts}",)),
    ],
)
def test_the_streams_are_the_one_or_its_shards(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], streams: tuple[str, ...]
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert read_settings().streams == streams


@pytest.mark.parametrize(
    "given",
    [
        {"REDIS_CLUSTER": "true"},
        {"STREAM_SHARDS": "0"},
        {"STREAM_SHARDS": "65"},
        {"STREAM_SHARDS": "2", "REDIS_STREAM_NAME": "{posts}"},
    ],
)
def test_shards_whose_keys_would_not_be_together_are_told_at_the_start(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str]
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match="STREAM_SHARDS"):
        read_settings()
