"""The compressed files of the build are served to those who take them, as what they are, if none is newer."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from services.api.app import create_app
from services.api.metrics import ApiMetrics
from services.api.web.dashboard import accepted_encodings
from tests.unit.api.asgi import client_of

SCRIPT = "/assets/index-abc.js"


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<title>page</title>")
    script = folder / "assets" / "index-abc.js"
    for suffix, content in {"": "plain", ".br": "brotli", ".gz": "gzipped"}.items():
        Path(f"{script}{suffix}").write_text(content)
    return folder


@pytest.fixture
async def client(dist: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(create_app(dist, ApiMetrics())) as client:
        yield client


async def raw(client: httpx.AsyncClient, taken: str, **headers: str) -> tuple[httpx.Response, bytes]:
    """The answer, and its bytes as they were sent."""
    sent = {"Accept-Encoding": taken, **{name.replace("_", "-"): value for name, value in headers.items()}}
    async with client.stream("GET", SCRIPT, headers=sent) as answer:
        return answer, b"".join([piece async for piece in answer.aiter_raw()])


@pytest.mark.parametrize(
    ("taken", "encoding", "content"),
    [
        ("identity", None, b"plain"),
        ("gzip", "gzip", b"gzipped"),
        ("gzip, deflate, br, zstd", "br", b"brotli"),
        ("br;q=0, gzip;q=0.5", "gzip", b"gzipped"),
        ("br;q=0.0,gzip;q=0", None, b"plain"),
    ],
)
async def test_everybody_gets_the_smallest_that_it_takes(
    client: httpx.AsyncClient, taken: str, encoding: str | None, content: bytes
) -> None:
    answer, body = await raw(client, taken)
    assert (answer.status_code, body) == (200, content)
    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    assert "accept-encoding" in answer.headers["vary"].lower()
    again, nothing = await raw(client, taken, if_none_match=answer.headers["etag"])
    assert (again.status_code, nothing) == (304, b"")


async def test_each_form_has_a_tag_of_its_own(client: httpx.AsyncClient) -> None:
    tags = {(await raw(client, taken))[0].headers["etag"] for taken in ("identity", "gzip", "br")}
    assert len(tags) == 3


async def test_what_is_older_than_the_file_or_leads_elsewhere_is_passed_over(
    client: httpx.AsyncClient, dist: Path, tmp_path: Path
) -> None:
    script = dist / "assets" / "index-abc.js"
    os.utime(f"{script}.br", (1, 1))
    (tmp_path / "secret").write_text("secret")
    Path(f"{script}.gz").unlink()
    Path(f"{script}.gz").symlink_to(tmp_path / "secret")
    answer, body = await raw(client, "br, gzip")
    assert body == b"plain"
    assert "content-encoding" not in answer.headers


def test_names_of_encodings_are_read_with_their_refusals() -> None:
    assert accepted_encodings("") == {""}
    assert accepted_encodings("GZIP , br ; q=0.000,deflate;q=1.0") == {"gzip", "deflate"}
