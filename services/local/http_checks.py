"""Readiness of our own services: what they answer over HTTP on this machine."""

import asyncio
import json
import time

from services.common.loopback import get, own_url
from services.local.child import Check


def answers_metrics(host: str, port: int, having: str = "") -> Check:
    """The metrics answer and contain the line `having`."""

    async def check() -> bool:
        status, body = await asyncio.to_thread(get, own_url(host, port, "/metrics"))
        return status == 200 and (not having or having.encode() in body.splitlines())

    return _quietly(check)


def beats(host: str, port: int, metric: str, within_s: float) -> Check:
    """The metrics answer, and the time in `metric` (seconds since the epoch) is not older than `within_s`.

    Metrics come from a thread of their own: they would answer also where everything else hangs.
    """

    async def check() -> bool:
        status, body = await asyncio.to_thread(get, own_url(host, port, "/metrics"))
        lines = (line.split() for line in body.decode().splitlines())
        beat_at = next((float(words[1]) for words in lines if words[:1] == [metric]), 0.0)
        return status == 200 and time.time() - beat_at <= within_s

    return _quietly(check)


def answers_health(host: str, port: int) -> Check:
    """Any health report counts, a bad one too: the API runs, and says itself which of its servers is away."""

    async def check() -> bool:
        _, body = await asyncio.to_thread(get, own_url(host, port, "/api/health"))
        report = json.loads(body)
        return isinstance(report, dict) and "status" in report

    return _quietly(check)


def stays_alive(seconds: float) -> Check:
    """For a child without an address: the supervisor gives the check up when the child ends before it."""

    async def check() -> bool:
        await asyncio.sleep(seconds)
        return True

    return check


def _quietly(check: Check) -> Check:
    async def quiet() -> bool:
        try:
            return await check()
        except (OSError, ValueError):  # ValueError: no JSON
            return False

    return quiet
