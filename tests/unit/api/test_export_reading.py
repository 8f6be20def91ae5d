"""The portions of an export wait longer for their permit than a request would."""

import asyncio

import pytest

from services.api.exports import reading
from services.api.metrics import ApiMetrics
from services.api.web.admission import Busy, Permits
from services.common.errors import Transient


class Crowded(Permits):
    """Refuses the first so many."""

    def __init__(self, refusals: int) -> None:
        super().__init__(ApiMetrics(), at_work=1, waiting=0, wait_s=1)
        self.refusals = refusals

    async def take(self) -> None:
        if self.refusals:
            self.refusals -= 1
            raise Busy("full")
        await super().take()


@pytest.fixture(autouse=True)
def without_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PAUSE_S", 0.0)


async def test_a_refused_portion_asks_again_and_holds_its_permit_alone() -> None:
    permits = Crowded(refusals=5)
    async with asyncio.timeout(10):
        await reading.take_patiently(permits)
    assert permits.refusals == 0
    with pytest.raises(Busy):
        await permits.take()


async def test_it_does_not_ask_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PERMIT_PATIENCE_S", -1.0)
    with pytest.raises(Transient, match="no permit"):
        await reading.take_patiently(Crowded(refusals=5))
