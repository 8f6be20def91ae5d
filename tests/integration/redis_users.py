"""A real Redis with the users of a deployment, as `deploy/redis/start.sh` makes them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from services.local.binaries import valkey_server
from services.local.child import Child
from tests.conftest import ROOT
from tests.embedded import running
from tests.ports import free_port

USERS = ("ingester", "worker", "api", "monitor", "admin")
START = ROOT / "deploy" / "redis" / "start.sh"


def password_of(user: str) -> str:
    return f"{user}-of-tests"


@contextmanager
def redis_with_users(folder: Path, stream: str) -> Iterator[int]:
    """Its port."""
    port = free_port()

    async def ready() -> bool:
        url = f"redis://monitor:{password_of('monitor')}@127.0.0.1:{port}/0"
        async with Redis.from_url(url, retry=Retry(NoBackoff(), 0)) as client:
            try:
                return bool(await client.ping())
            except (OSError, RedisError):
                return False

    child = Child(
        name="redis-with-users",
        command=[str(START), "--port", str(port), "--bind", "127.0.0.1"],
        environment={
            "PATH": os.environ["PATH"],
            "REDIS_SERVER": str(valkey_server()),
            "REDIS_DIR": str(folder),
            "REDIS_ACL_FILE": str(folder / "users.acl"),
            "REDIS_STREAM_NAME": stream,
            **{f"REDIS_{user.upper()}_PASSWORD": password_of(user) for user in USERS},
        },
        ready=ready,
        cwd=folder,
    )
    with running(child, folder):
        yield port
