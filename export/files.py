"""Changes on disk that are whole or not there at all, whatever moment the process is killed at."""

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from export.errors import ExportError


def write_text(path: Path, text: str) -> None:
    """Replaces the file by one rename; it is on the disk when this returns."""
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with new.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    sync(path.parent, deep=False)


def link(target: str, path: Path) -> None:
    """Makes `path` a symbolic link to the relative `target`, or replaces the one that it is, by one rename."""
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    new.symlink_to(target)
    new.replace(path)
    sync(path.parent, deep=False)


def sync(folder: Path, *, deep: bool = True) -> None:
    """Waits until a folder, and what is in it, is on the disk: a rename must not get there before its content."""
    paths = [*folder.rglob("*"), folder] if deep else [folder]
    for path in paths:
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            continue
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def locked(repository: Path, purpose: str, refusal: str, *, wait_s: float = 0) -> Iterator[None]:
    """Holds `<repository>/.<purpose>.lock`; ExportError with `refusal` where another process holds it.

    The kernel lets go of it when the process ends, however it ends. A file, never a folder: Triton takes each folder of
    the repository for a model.
    """
    repository.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait_s
    with (repository / f".{purpose}.lock").open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise ExportError(f"{refusal}: wait until it has ended") from None
                time.sleep(0.05)
        yield


@contextmanager
def staging(repository: Path, name: str) -> Iterator[Path]:
    """A folder for unfinished work, removed at the end, on the repository's file system: a rename leads out of it.

    What a killed process left behind is removed by the next one that works on the same model.
    """
    root = staging_root(repository)
    root.mkdir(exist_ok=True)
    _remove_left_behind(root, name)
    work = root / f"{name}.{os.getpid()}.{secrets.token_hex(4)}"
    work.mkdir()
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        # Another model's work may still be in it.
        if not any(root.iterdir()):
            shutil.rmtree(root, ignore_errors=True)


def staging_root(repository: Path) -> Path:
    """Beside the repository where that is one file system (a Triton told to load everything would take the folder for a
    model), else in it.
    """
    beside = repository.resolve().with_name(f".{repository.resolve().name}.staging")
    usable = os.access(beside.parent, os.W_OK) and beside.parent.stat().st_dev == repository.stat().st_dev
    return beside if usable else repository / ".staging"


def _remove_left_behind(root: Path, name: str) -> None:
    for folder in root.glob(f"{name}.*.*"):
        pid = folder.name.split(".")[-2]
        if not (pid.isdecimal() and Path("/proc", pid).exists()):
            shutil.rmtree(folder, ignore_errors=True)
