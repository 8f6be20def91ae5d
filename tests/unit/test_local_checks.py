"""What our services answer over HTTP tells whether they are ready, and whether they live."""

import time

import pytest

from services.local import http_checks
from services.local.http_checks import answers_metrics, beats


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What is answered as `body`; nothing answers where it is missing."""
    answer = {"body": "# HELP beat\nother 1.0\n"}

    def get(url: str) -> tuple[int, bytes]:
        if "body" not in answer:
            raise ConnectionRefusedError
        return 200, answer["body"].encode()

    monkeypatch.setattr(http_checks, "get", get)
    return answer


async def test_a_process_lives_while_its_loop_goes_round(metrics: dict[str, str]) -> None:
    alive = beats("127.0.0.1", 1, "beat", within_s=30)
    assert not await alive()
    metrics["body"] = f"# TYPE beat gauge\nbeat {time.time() - 5!r}\n"
    assert await alive()
    metrics["body"] = f"beat {time.time() - 60:.9e}\n"
    assert not await alive()
    del metrics["body"]
    assert not await alive()


async def test_a_process_is_ready_when_it_says_so(metrics: dict[str, str]) -> None:
    ready = answers_metrics("127.0.0.1", 1, "ready 1.0")
    assert not await ready()
    metrics["body"] = "ready 1.0\n"
    assert await ready()
    metrics["body"] = "ready 0.0\n"
    assert not await ready()
