"""With a CA in the settings nothing but a server with its certificate, and of that name, is spoken to."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from services.common.database import database_errors, open_pool
from services.common.errors import Transient
from services.common.migrations.apply import migrate
from services.common.settings import Settings
from services.common.streams import open_redis, redis_errors
from services.inference.access import Access
from services.inference.analyzer import open_analyzer
from services.inference.client import open_triton
from services.local.named_servers import NamedServers, require_answers
from services.worker.upkeep.leader import leading
from tests.integration.triton_server import running_triton
from tests.integration.version_repositories import make_repository
from tests.tls_relay import server_context, tls_before


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def trusted(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file of the certificates that are trusted."""
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(file)
    return str(file)


@pytest.fixture
def stranger(tmp_path: Path) -> str:
    """That of somebody else."""
    file = tmp_path / "stranger.pem"
    trustme.CA().cert_pem.write_to_path(file)
    return str(file)


def moved(url: str, port: int, scheme: str = "") -> str:
    parts = urlsplit(url)
    return url.replace(f":{parts.port}/", f":{port}/").replace(parts.scheme, scheme or parts.scheme, 1)


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


async def ask_database(settings: Settings) -> None:
    async with open_pool(settings.database_dsn, max_size=1) as pool:
        with database_errors():
            assert await pool.fetchval("SELECT 1") == 1


async def ask_redis(settings: Settings) -> None:
    async with open_redis(settings.redis_dsn) as redis:
        with redis_errors():
            await redis.ping()


async def test_postgresql_is_spoken_to_through_tls(empty_database_url: str, ca: trustme.CA, trusted: str) -> None:
    async with tls_before(port_of(empty_database_url), server_context(ca), postgresql=True) as port:
        settings = Settings(_env_file=None, database_url=moved(empty_database_url, port), postgres_tls_ca=trusted)
        await ask_database(settings)
        await migrate(settings.database_dsn)
        async with leading(settings.database_dsn, 1) as held:
            assert held is not None
        await require_answers(settings, NamedServers(database=True, redis=False, triton=False))


async def test_redis_is_spoken_to_through_tls(redis_url: str, ca: trustme.CA, trusted: str) -> None:
    async with tls_before(port_of(redis_url), server_context(ca)) as port:
        settings = Settings(_env_file=None, redis_url=moved(redis_url, port, "rediss"), redis_tls_ca=trusted)
        await ask_redis(settings)
        await require_answers(settings, NamedServers(database=False, redis=True, triton=False))


async def test_a_server_whose_certificate_is_of_somebody_else_is_refused(
    empty_database_url: str, redis_url: str, ca: trustme.CA, stranger: str
) -> None:
    async with (
        tls_before(port_of(empty_database_url), server_context(ca), postgresql=True) as database_port,
        tls_before(port_of(redis_url), server_context(ca)) as redis_port,
    ):
        settings = Settings(
            _env_file=None,
            database_url=moved(empty_database_url, database_port),
            redis_url=moved(redis_url, redis_port, "rediss"),
            postgres_tls_ca=stranger,
            redis_tls_ca=stranger,
        )
        with pytest.raises(Transient, match=r"certificate is not trusted .* POSTGRES_TLS_CA"):
            await ask_database(settings)
        with pytest.raises(Transient, match=r"local issuer certificate.* check REDIS_TLS_CA"):
            await ask_redis(settings)


async def test_a_server_of_another_name_is_refused(
    empty_database_url: str, redis_url: str, ca: trustme.CA, trusted: str
) -> None:
    context = server_context(ca, "other.example")
    async with (
        tls_before(port_of(empty_database_url), context, postgresql=True) as database_port,
        tls_before(port_of(redis_url), context) as redis_port,
    ):
        settings = Settings(
            _env_file=None,
            database_url=moved(empty_database_url, database_port),
            redis_url=moved(redis_url, redis_port, "rediss"),
            postgres_tls_ca=trusted,
            redis_tls_ca=trusted,
        )
        for ask in (ask_database, ask_redis):
            with pytest.raises(Transient, match="IP address mismatch"):
                await ask(settings)


async def test_a_server_without_tls_is_told_no_password(empty_database_url: str, redis_url: str, trusted: str) -> None:
    settings = Settings(
        _env_file=None,
        database_url=empty_database_url,
        redis_url=redis_url.replace("redis://", "rediss://"),
        postgres_tls_ca=trusted,
        redis_tls_ca=trusted,
    )
    for ask in (ask_database, ask_redis):
        with pytest.raises(Transient, match="not reachable"):
            await ask(settings)


@pytest.fixture(scope="module")
def triton_with_tls(ca: trustme.CA, trusted: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    folder = tmp_path_factory.mktemp("triton-tls")
    repository = make_repository(folder / "repository").folder
    certificate = ca.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    flags = [
        "--grpc-use-ssl=true",
        f"--grpc-server-cert={folder / 'cert.pem'}",
        f"--grpc-server-key={folder / 'key.pem'}",
        f"--grpc-root-cert={trusted}",
    ]
    with running_triton(folder, repository, flags, access=Access(tls_ca=trusted)) as running:
        yield Settings(
            _env_file=None,
            triton_url=f"127.0.0.1:{running.grpc_port}",
            triton_tls_ca=trusted,
            model_repository=repository,
        )


async def test_triton_is_spoken_to_through_tls(triton_with_tls: Settings) -> None:
    async with open_analyzer(triton_with_tls) as analyzer:
        await analyzer.check()
    await require_answers(triton_with_tls, NamedServers(database=False, redis=False, triton=True))


async def test_a_triton_that_is_not_trusted_is_not_spoken_to(triton_with_tls: Settings, stranger: str) -> None:
    for access in (Access(tls_ca=stranger), Access()):
        async with open_triton(triton_with_tls.triton_url, 5, access) as triton:
            with pytest.raises(Transient):
                await triton.server()
