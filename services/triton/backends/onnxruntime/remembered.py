"""Choices that outlive the server: a JSON file that several processes share, each entry by what it was made for."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Where they are kept; without it, every start chooses anew. Whoever starts the server sets it.
SETTING = "UNDERTONE_CPU_RUNTIME_FILE"
# More entries than versions that anybody keeps: the oldest go.
MAX_ENTRIES = 64


def key_of(*facts: object) -> str:
    """The same for the same facts: machine, versions, files."""
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def file_facts(path: Path) -> tuple[str, int, int]:
    """What changes when a file does: name, bytes, modification time (ns)."""
    status = path.stat()
    return path.name, status.st_size, status.st_mtime_ns


@contextmanager
def alone(path: Path | None) -> Iterator[None]:
    """One process at a time, so that no two measure beside each other; without a file nobody waits."""
    if path is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # Closing it, or the end of the process, frees the lock.
    with path.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def recall(path: Path | None, key: str) -> Mapping[str, Any] | None:
    """The entry; None where there is none, or a file that cannot be read: then it is made anew."""
    entry = _read(path).get(key) if path else None
    return entry if isinstance(entry, dict) else None


def remember(path: Path | None, key: str, entry: Mapping[str, Any]) -> None:
    """Keeps the entry; the file is replaced in one step."""
    if path is None:
        return
    entries = {name: value for name, value in _read(path).items() if name != key} | {key: dict(entry)}
    kept = dict(list(entries.items())[-MAX_ENTRIES:])
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.write_text(json.dumps(kept, indent=2) + "\n")
    unfinished.replace(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        entries = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return entries if isinstance(entries, dict) else {}
