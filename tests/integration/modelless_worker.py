"""A worker whose models say the same of every text: streams, leases and database are what its test is about."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from services.common.lifecycle import run_service
from services.common.messages import Analysis
from services.common.settings import Settings
from services.inference.analyzer import Course, Inferred
from services.worker import __main__ as worker

ANALYSIS = Analysis(
    model_name="none", sentiment_label="positive", confidence=0.9, emotion="joy", emotion_confidence=0.8
)


class Models:
    async def check(self) -> None: ...

    async def models(self) -> None: ...

    async def analyse_timed(self, texts: Sequence[str]) -> tuple[list[Analysis], Course]:
        inferred = Inferred(0.0, 1.0, 1, None)
        return [ANALYSIS] * len(texts), Course(0.0, 1.0, inferred, inferred)


@asynccontextmanager
async def open_models(_settings: Settings) -> AsyncIterator[Models]:
    yield Models()


if __name__ == "__main__":
    worker.open_analyzer = open_models  # type: ignore[attr-defined,assignment] # replaced for a test, not exported
    run_service("worker", worker.main)
