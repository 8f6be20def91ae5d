"""While a dependency is away, one probe asks for it; when it is back, everybody goes on."""

import asyncio

import pytest

from services.common import backoff, circuit
from services.common.circuit import OPEN, Circuit
from services.common.errors import Transient
from services.common.retry import until_done


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INITIAL_BACKOFF_S", "MAX_PROBE_BACKOFF_S", "JITTER_S"):
        monkeypatch.setattr(backoff, name, 0.001)


class Server:
    def __init__(self) -> None:
        self.away = True
        self.probes = 0
        self.probes_at_once = 0
        self.most_at_once = 0
        self.gate: asyncio.Event | None = None

    async def probe(self) -> None:
        self.probes += 1
        self.probes_at_once += 1
        self.most_at_once = max(self.most_at_once, self.probes_at_once)
        await (self.gate.wait() if self.gate else asyncio.sleep(0))
        self.probes_at_once -= 1
        if self.away:
            raise Transient("away")


def metric() -> float:
    (family,) = OPEN.labels("test").collect()
    return family.samples[0].value


async def passes(each: Circuit, count: int) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(each.closed()) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_a_closed_circuit_lets_everybody_pass_without_a_probe() -> None:
    server = Server()
    await Circuit("test", server.probe).closed()
    assert server.probes == 0


async def test_of_many_that_wait_one_probes_and_all_go_on_when_it_succeeds() -> None:
    server = Server()
    each = Circuit("test", server.probe)
    each.open(Transient("away"))
    assert (each.is_open, metric()) == (True, 1)
    waiting = await passes(each, 20)
    while server.probes < 5:
        await asyncio.sleep(0.001)
    assert not any(task.done() for task in waiting)
    server.away = False
    await asyncio.wait_for(asyncio.gather(*waiting), 5)
    assert server.most_at_once == 1
    assert (each.is_open, metric()) == (False, 0)


async def test_when_the_one_that_probes_is_given_up_another_goes_on() -> None:
    server = Server()
    each = Circuit("test", server.probe)
    each.open(Transient("away"))
    first, second = await passes(each, 2)
    while server.probes < 2:
        await asyncio.sleep(0.001)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    server.away = False
    await asyncio.wait_for(second, 5)


async def test_a_confirmation_asks_whatever_the_circuit_says() -> None:
    server = Server()
    each = Circuit("test", server.probe)
    server.away = False
    await each.confirm()
    assert server.probes == 1
    server.away = True
    confirming = asyncio.create_task(each.confirm())
    while not each.is_open:
        await asyncio.sleep(0)
    server.away = False
    await asyncio.wait_for(confirming, 5)
    assert not each.is_open


async def test_an_outage_is_told_at_its_beginning_and_its_end_and_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(circuit, "REMIND_INTERVAL_S", 0.02)
    server = Server()
    each = Circuit("test", server.probe)
    each.open(Transient("cable"))
    each.open(Transient("cable"))
    (waiting,) = await passes(each, 1)
    out = ""
    while out.count("still waiting") < 2:
        await asyncio.sleep(0.001)
        out += capsys.readouterr().out
    server.away = False
    await asyncio.wait_for(waiting, 5)
    out += capsys.readouterr().out
    assert out.count("waiting for a dependency") == 1
    assert out.count("is back") == 1
    assert out.count("still waiting") < server.probes


async def test_what_is_tried_through_a_circuit_opens_it_and_waits_for_it() -> None:
    server = Server()
    each = Circuit("test", server.probe)
    calls = 0

    async def action() -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise Transient("away")

    doing = asyncio.create_task(until_done("test", action, asyncio.Event(), each))
    while server.probes < 3:
        await asyncio.sleep(0.001)
    assert calls == 1, "called although the dependency is away"
    server.away = False
    assert await asyncio.wait_for(doing, 5)
    assert calls == 2
