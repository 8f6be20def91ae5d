"""`undertone keys …` as a process: a key that the API takes, told once; whose key one is; quiet complaints."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from services.common.api_keys import find_key, make_key, new_key, read_api_keys
from tests.conftest import ROOT

KEY = new_key()
SETTING = make_key("reader", ["read"], KEY).entry


class Ended(NamedTuple):
    status: int
    out: str
    err: str


async def run(folder: Path, *arguments: str, typed: str = "", api_keys: str = "") -> Ended:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.fspath(ROOT), "API_KEYS": api_keys}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "services.cli", "keys", *arguments),
        cwd=folder,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(typed.encode()), 60)
    assert process.returncode is not None
    assert b"Traceback" not in err, err.decode()
    return Ended(process.returncode, out.decode(), err.decode())


async def test_a_new_key_is_one_by_its_entry(tmp_path: Path) -> None:
    made = await run(tmp_path, "new", "operator", "--scopes", "read,admin", "--json", api_keys=SETTING)
    found = json.loads(made.out)
    setting = f"{SETTING},{found['entry']}"
    key = find_key(read_api_keys(setting), found["key"])
    assert key is not None
    assert (key.name, sorted(key.scopes)) == ("operator", ["admin", "read"])
    checked = await run(tmp_path, "check", typed=f"{found['key']}\n", api_keys=setting)
    assert checked == Ended(0, "operator: read, admin\n", "")


async def test_for_a_person_the_key_is_there_once_and_the_entry_without_it(tmp_path: Path) -> None:
    made = await run(tmp_path, "new", "dashboard", "--scopes", "read")
    (text,) = [word for word in made.out.split() if word.startswith("ut_")]
    (entry,) = [word for word in made.out.split() if word.startswith("dashboard=")]
    (key,) = read_api_keys(entry)
    assert find_key([key], text) == key
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("typed", ["", "\n", f"{new_key()}\n", "x" * 100_000])
async def test_another_key_is_nobodys(tmp_path: Path, typed: str) -> None:
    assert await run(tmp_path, "check", typed=typed, api_keys=SETTING) == Ended(1, "", "API_KEYS has no such key\n")


@pytest.mark.parametrize(
    ("arguments", "api_keys", "told"),
    [
        ("new", "", "NAME"),
        ("new reader", "", "--scopes"),
        ("new Reader --scopes read", "", "a name has up to 30 small letters"),
        ("new reader --scopes write", "", "scopes are read, ingest, admin"),
        ("new reader --scopes read,read", "", "scopes are read, ingest, admin"),
        ("new reader --scopes read", SETTING, "API_KEYS has a key reader"),
        ("check", "", "API_KEYS is empty"),
        ("check", f"reader=read:{KEY}", "API_KEYS: entry 1: has the key of reader itself"),
    ],
)
async def test_what_cannot_be_done_is_said_in_a_sentence(
    tmp_path: Path, arguments: str, api_keys: str, told: str
) -> None:
    ended = await run(tmp_path, *arguments.split(), api_keys=api_keys)
    assert (ended.status, ended.out) == (2, "")
    assert told in ended.err
    assert KEY not in ended.err
