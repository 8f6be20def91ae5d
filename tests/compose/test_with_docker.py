"""The README's commands for whoever runs it with Docker, as they stand there, on the running system. In this order."""

import re
import subprocess
from pathlib import Path

import pytest

from deploy import make_env
from tests.compose.stack import COMMAND_TIMEOUT_S, ROOT, Stack, write_posts
from tests.compose.test_stack import ASK_TRITON
from tests.waiting import eventually

pytestmark = [pytest.mark.timeout(1_800), pytest.mark.long]

README = (ROOT / "README.md").read_text()
DUMP = "undertone.dump"
# Arguments: a user and a password.
ASK_POSTGRES = """
import asyncio, asyncpg, sys
async def ask(user, password):
    connection = await asyncpg.connect(host="postgres", database="undertone", user=user, password=password)
    print(await connection.fetchval("SELECT current_user"))
try:
    asyncio.run(ask(*sys.argv[1:]))
except asyncpg.InvalidPasswordError:
    print("refused")
"""
ASK_REDIS = """
import redis, sys
try:
    redis.Connection("redis", username=sys.argv[1], password=sys.argv[2]).connect()
    print(sys.argv[1])
except redis.AuthenticationError:
    print("refused")
"""


def row(name: str) -> list[str]:
    """The commands in a row of the table."""
    (cell,) = re.findall(rf"^\| {re.escape(name)} \| (.+) \|$", README, re.MULTILINE)
    return [str(command) for command in re.findall(r"`([^`]+)`", cell)]


def block(beginning: str) -> str:
    """The commands under a comment in the fenced code."""
    (found,) = re.findall(rf"^# {re.escape(beginning)}.*\n((?:docker .+\n)+)", README, re.MULTILINE)
    return str(found)


def shell(stack: Stack, commands: str, dump: Path) -> None:
    """As a person would type them, one by one, in the project's folder; the dump lies elsewhere."""
    done = subprocess.run(
        ["bash", "-exc", commands.replace(DUMP, str(dump))],
        cwd=ROOT,
        env={**stack.environment, "COMPOSE_PROJECT_NAME": stack.project},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=COMMAND_TIMEOUT_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr


async def posts_arrive(stack: Stack, folder: Path, source: str) -> None:
    ids = write_posts(folder / "posts.jsonl", source, 20)
    stack.replay(folder, "posts.jsonl")

    async def stored() -> bool:
        return stack.rows(source) == (len(ids), len(ids))

    await eventually(stored, "posts arrive", timeout_s=120)


async def test_a_backup_is_restored_into_new_volumes(stack: Stack, tmp_path: Path) -> None:
    await posts_arrive(stack, tmp_path, "kept")
    dump = tmp_path / DUMP
    (command,) = row("back up")
    shell(stack, command, dump)
    await posts_arrive(stack, tmp_path, "later")
    stack.compose("down", "--volumes")
    shell(stack, block("Restore"), dump)
    assert stack.rows("kept") == (20, 20)
    assert stack.rows("later") == (0, 0)
    await posts_arrive(stack, tmp_path, "restored")


async def test_a_backup_is_restored_over_what_is_there(stack: Stack, tmp_path: Path) -> None:
    dump = tmp_path / DUMP
    (command,) = row("back up")
    shell(stack, command, dump)
    await posts_arrive(stack, tmp_path, "after-the-dump")
    shell(stack, block("Restore"), dump)
    assert stack.rows("kept") == (20, 20)
    assert stack.rows("after-the-dump") == (0, 0)
    await posts_arrive(stack, tmp_path, "restored-again")


async def test_new_passwords_take_the_place_of_the_old_ones(stack: Stack, tmp_path: Path) -> None:
    old = dict(stack.values)
    for name in make_env.PASSWORDS:
        del stack.values[name]
    stack.values.update(make_env.make_values(stack.values)[0])
    # The superuser's first: what makes the roles needs it.
    shell(stack, block("PostgreSQL keeps the superuser's password"), tmp_path / DUMP)
    assert row("new passwords")[-1] == "POSTGRES_PASSWORD"
    for role in ("", "_migrate", "_worker", "_api", "_read", "_monitor"):
        name = f"POSTGRES{role.upper()}_PASSWORD"
        user = f"undertone{role}"
        assert stack.probe("database", ASK_POSTGRES, user, old[name]) == "refused", user
        assert stack.probe("database", ASK_POSTGRES, user, stack.values[name]) == user
    for user in ("ingester", "worker", "api", "monitor", "admin"):
        name = f"REDIS_{user.upper()}_PASSWORD"
        assert stack.probe("stream", ASK_REDIS, user, old[name]) == "refused", user
        assert stack.probe("stream", ASK_REDIS, user, stack.values[name]) == user
    assert stack.probe("inference", ASK_TRITON, old["TRITON_KEY"]) == ""
    assert "index done" in stack.probe("inference", ASK_TRITON, stack.values["TRITON_KEY"])
    await posts_arrive(stack, tmp_path, "new-passwords")


def test_a_new_api_key_is_added_and_an_old_one_taken_out(stack: Stack, tmp_path: Path) -> None:
    added, keys = make_env.make_values({name: value for name, value in stack.values.items() if name != "API_KEYS"})
    renamed = added["API_KEYS"].replace("dashboard=", "new=").split(",")[0]
    stack.keys["new"] = keys["dashboard"]
    before = stack.values["API_KEYS"]
    stack.values["API_KEYS"] = f"{before},{renamed}"
    stack.up()
    for name in ("new", "dashboard"):
        with stack.client(name) as client:
            assert client.get("/api/posts").status_code == 200, name
    stack.values["API_KEYS"] = ",".join(entry for entry in before.split(",") if "dashboard=" not in entry)
    stack.values["API_KEYS"] += f",{renamed}"
    stack.up()
    with stack.client("new") as client:
        assert client.get("/api/posts").status_code == 200
    with stack.client("dashboard") as client:
        assert client.get("/api/posts").status_code == 401
