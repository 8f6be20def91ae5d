"""With deploy/compose/tls.yml everything works, and who speaks plain text is refused, also with the right password.

A second system of containers, so `make test-compose-long` has it.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deploy import make_tls
from tests.compose.conftest import started
from tests.compose.stack import Stack, new_stack, write_posts
from tests.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.timeout(1_800)]

# In the worker's container, with its passwords.
ASK = """
import asyncio, os, sys, asyncpg, redis
from services.common.certificates import trusted_by
from services.inference.access import Access

def ask_postgres(ca):
    async def connect():
        login = {name: os.environ[f"POSTGRES_{name.upper()}"] for name in ("host", "user", "password")}
        ssl = trusted_by(ca) if ca else False
        await (await asyncpg.connect(**login, database=os.environ["POSTGRES_DB"], ssl=ssl)).close()
    asyncio.run(connect())

def ask_redis(ca):
    login = {"username": os.environ["REDIS_USER"], "password": os.environ["REDIS_PASSWORD"]}
    with redis.Redis(os.environ["REDIS_HOST"], **login, ssl=bool(ca), ssl_ca_certs=ca or None) as client:
        client.ping()

def ask_triton(ca):
    with Access(os.environ["TRITON_KEY"], ca).client(os.environ["TRITON_URL"]) as client:
        client.get_model_repository_index(client_timeout=10)

for name, ask in {"postgres": ask_postgres, "redis": ask_redis, "triton": ask_triton}.items():
    try:
        ask(sys.argv[1])
        print(name, "answers")
    except Exception as error:
        print(name, type(error).__name__, error)
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("tls")
    # Whoever runs this may give files to a group of their own.
    group = str(os.getgid())
    assert make_tls.main(["--folder", str(folder), "--group", group]) == 0
    made = new_stack()
    encrypted = replace(
        made,
        project=f"{made.project}-tls",
        values={**made.values, "TLS_FOLDER": str(folder), "TLS_GROUP": group},
        files=(*made.files, "deploy/compose/tls.yml"),
    )
    with started(encrypted) as running:
        yield running


def ask(stack: Stack, ca: str) -> dict[str, str]:
    """Server -> what it answered to who trusts that CA, or speaks plain text where it is empty."""
    lines = stack.exec("worker", "python", "-c", ASK, ca).splitlines()
    return dict(line.split(" ", 1) for line in lines)


async def test_posts_are_analysed(stack: Stack, tmp_path: Path) -> None:
    ids = write_posts(tmp_path / "posts.jsonl", "encrypted", 100)
    stack.replay(tmp_path, "posts.jsonl")

    async def stored() -> bool:
        return stack.rows("encrypted") == (len(ids), len(ids))

    await eventually(stored, "every post stored and analysed", timeout_s=120)
    encrypted = "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE client_addr IS NOT NULL"
    assert stack.query(encrypted) == "t"


def test_who_speaks_plain_text_is_refused(stack: Stack) -> None:
    assert ask(stack, "/tls/ca.crt") == dict.fromkeys(make_tls.SERVERS, "answers")
    refused = ask(stack, "")
    assert "no encryption" in refused["postgres"]
    assert "ConnectionError" in refused["redis"]
    assert "UNAVAILABLE" in refused["triton"]


def test_exporters_get_in(stack: Stack) -> None:
    stack.up("--no-recreate", "postgres-exporter", "redis-exporter")
