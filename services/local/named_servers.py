"""Servers that the user named (DATABASE_URL, REDIS_URL, TRITON_URL) instead of those that `make run` brings."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from services.common.errors import ConfigurationError
from services.common.settings import Settings

ANSWER_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class NamedServers:
    """Which servers the user brings, so that none of ours is started in their place."""

    database: bool
    redis: bool
    triton: bool

    @classmethod
    def of(cls, settings: Settings) -> "NamedServers":
        given = settings.model_fields_set
        return cls(
            database=bool(settings.database_url) or "postgres_host" in given,
            redis=bool(settings.redis_url) or "redis_host" in given,
            triton="triton_url" in given,
        )


async def require_answers(settings: Settings, named: NamedServers) -> None:
    """A real query, ping or question to each; ConfigurationError with one line for each that does not answer."""
    questions = []
    if named.database:
        questions.append(_ask("DATABASE_URL", settings.database_dsn, _query(settings.database_dsn)))
    if named.redis:
        questions.append(_ask("REDIS_URL", settings.redis_dsn, _ping(settings.redis_dsn)))
    if named.triton:
        questions.append(_ask("TRITON_URL", f"grpc://{settings.triton_url}", _answers(settings)))
    problems = [problem for problem in await asyncio.gather(*questions) if problem]
    if problems:
        raise ConfigurationError("\n".join(problems))


async def _ask(setting: str, url: str, question: Awaitable[None]) -> str | None:
    try:
        await asyncio.wait_for(question, ANSWER_TIMEOUT_S)
    except TimeoutError:
        reason = f"no answer within {ANSWER_TIMEOUT_S:.0f} s"
    except Exception as error:  # three libraries and the system: whatever went wrong, the server is of no use
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    else:
        return None
    # Without the password.
    address = urlsplit(url).netloc.rpartition("@")[2]
    return f"the server that {setting} names ({address}) does not answer: {reason}"


async def _query(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.fetchval("SELECT 1")
    finally:
        await connection.close()


async def _ping(url: str) -> None:
    async with Redis.from_url(url, retry=Retry(NoBackoff(), 0)) as client:
        await client.ping()


async def _answers(settings: Settings) -> None:
    # Imported here: it is large, and most runs use the embedded Triton.
    from services.inference.access import Access  # noqa: PLC0415 - see above
    from services.inference.client import open_triton  # noqa: PLC0415 - see above

    async with open_triton(settings.triton_url, ANSWER_TIMEOUT_S, Access.of(settings)) as triton:
        await triton.server()
