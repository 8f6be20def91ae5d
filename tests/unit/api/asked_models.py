"""An application whose models are plain objects: each answers when, and what, a test says."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import httpx
import numpy as np

from services.api.app import create_app
from services.api.asking.turns import Turns
from services.api.caches import open_caches
from services.api.metrics import ApiMetrics
from services.common.errors import Transient
from services.common.settings import Settings
from services.inference.models import Activation, Model
from services.inference.scorer import Cut, Role, Scored, Scores
from services.inference.served import Models
from services.inference.tokenizer import Input

LABELS = {"sentiment": ("negative", "neutral", "positive"), "emotion": ("joy", "anger")}


def model_of(role: str, activation: Activation = "softmax") -> Model:
    return Model(
        name=role,
        version=3,
        source=f"some/{role}",
        revision="main",
        labels=LABELS[role],
        activation=activation,
        max_tokens=16,
        lengths=(16,),
        mixed_lengths=False,
        max_rows=64,
        tokenizer_file=Path("tokenizer.json"),
        tokenizer_sha256="",
    )


class AskedModels:
    """An Inference: a token for each character, and the logits 0, 1, 2, … of every label."""

    def __init__(self) -> None:
        self.asked: list[tuple[list[Input], list[Role], Cut | None]] = []
        self.failure: Exception | None = None
        self.go = asyncio.Event()
        self.go.set()
        self.activation: Activation = "softmax"

    async def check(self) -> None:
        raise Transient("there are no models")

    async def models(self) -> Models:
        raise Transient("there are no models")

    async def score(self, inputs: Sequence[Input], roles: Sequence[Role], cut: Cut | None) -> Scored:
        self.asked.append((list(inputs), list(roles), cut))
        await self.go.wait()
        if self.failure is not None:
            raise self.failure
        counts = [len("".join(each)) for each in inputs]
        return Scored([self._scores(role, counts) for role in roles], 0.001)

    def _scores(self, role: Role, counts: list[int]) -> Scores:
        row = np.arange(len(LABELS[role]), dtype=np.float32)
        return Scores(model_of(role, self.activation), np.tile(row, (len(counts), 1)), counts, 0.002)


@asynccontextmanager
async def asking(models: AskedModels, **changes: object) -> AsyncIterator[tuple[httpx.AsyncClient, ApiMetrics]]:
    """A client of an application with these models and these changes of the default settings."""
    settings = Settings(_env_file=None).model_copy(update=changes)
    metrics = ApiMetrics()
    app = create_app(Path("missing"), metrics)
    app.state.undertone = SimpleNamespace(
        settings=settings,
        metrics=metrics,
        caches=open_caches(),
        inference=models,
        turns=Turns(
            metrics.inference,
            texts_at_work=settings.api_inference_texts_at_work,
            waiting=settings.api_inferences_waiting,
            wait_s=settings.api_wait_s,
        ),
        probes=SimpleNamespace(triton=SimpleNamespace(first_run=asyncio.Event(), ok=False)),
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client, metrics
