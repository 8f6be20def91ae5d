"""The same source makes the same image: who builds it can tell what another has built."""

import hashlib
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.compose.stack import COMMAND_TIMEOUT_S, ROOT, docker, inherited

pytestmark = [pytest.mark.timeout(2 * COMMAND_TIMEOUT_S), pytest.mark.long]

# Dockerfile, its context, its target.
IMAGES = {
    "services": ("services/Dockerfile", ".", "services"),
    "models": ("services/Dockerfile", ".", "models"),
    "triton": ("services/triton/Dockerfile", ".", ""),
    "frontend": ("frontend/Dockerfile", "frontend", ""),
}
# What the engine puts into each container that it makes.
OF_THE_CONTAINER = {".dockerenv", "dev/console", "etc/hosts", "etc/hostname", "etc/mtab", "etc/resolv.conf"}

Entry = tuple[int, int, int, int, str]


@contextmanager
def built(name: str) -> Iterator[str]:
    """An image of it, made anew to its last layer."""
    file, context, target = IMAGES[name]
    chosen = [f"--target={target}"] if target else []
    image = docker("build", "-q", "--no-cache", f"--file={file}", *chosen, context)
    try:
        yield image
    finally:
        docker("image", "rm", "--force", image)


def files(image: str) -> dict[str, Entry]:
    """Path -> (mode, user, group, time of the last change in s, SHA-256 or where it leads), of all but folders."""
    container = docker("create", image)
    try:
        with (
            subprocess.Popen(["docker", "export", container], cwd=ROOT, env=inherited(), stdout=subprocess.PIPE) as tar,
            tarfile.open(fileobj=tar.stdout, mode="r|") as archive,
        ):
            return {
                member.name: (member.mode, member.uid, member.gid, int(member.mtime), content(archive, member))
                for member in archive
                if not member.isdir() and member.name not in OF_THE_CONTAINER
            }
    finally:
        docker("rm", container)


def content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    file = archive.extractfile(member) if member.isfile() else None
    return hashlib.sha256(file.read()).hexdigest() if file else member.linkname


@pytest.mark.parametrize("name", IMAGES)
def test_the_same_source_makes_the_same_files(name: str) -> None:
    with built(name) as image:
        once = files(image)
    with built(name) as image:
        again = files(image)
    assert once
    assert {path for path in {*once, *again} if once.get(path) != again.get(path)} == set()
