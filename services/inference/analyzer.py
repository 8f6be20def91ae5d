"""Both models over many texts: the one thing that worker and API want of this package."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.common.messages import Analysis
from services.common.settings import Settings
from services.inference.batching import Batch, pad_right, plan_batches
from services.inference.client import TritonClient, open_triton
from services.inference.models import Model, parse_model
from services.inference.scoring import probabilities, sentiment_names, top_labels, with_neutral_band
from services.inference.tokenizer import PostTokenizer, TokenIds

PROBE_TEXT = "ready?"


@dataclass(frozen=True)
class Loaded:
    """Both models and their tokenizers; one tokenizer serves both where it is the same file."""

    sentiment: Model
    emotion: Model
    tokenizers: dict[str, PostTokenizer]


class Analyzer:
    """Learns the models from Triton with the first call."""

    def __init__(self, triton: TritonClient, settings: Settings) -> None:
        self._triton = triton
        self._repository: Path = settings.model_repository
        self._names = (settings.sentiment_model, settings.emotion_triton_model)
        self._neutral_below = settings.neutral_below
        self._max_tokens = settings.max_tokens_per_request
        # What one process may have at Triton: more would only wait in Triton's queue instead of here.
        self._permits = {name: asyncio.Semaphore(settings.max_requests_in_flight) for name in self._names}
        self._loading = asyncio.Lock()
        self._loaded: Loaded | None = None

    async def models(self) -> Loaded:
        """The models as Triton serves them. Transient while Triton is away; ConfigurationError if they do not fit."""
        async with self._loading:
            if self._loaded is None:
                configs = await asyncio.gather(*(self._triton.model_config(name) for name in self._names))
                sentiment, emotion = (parse_model(config, self._repository) for config in configs)
                tokenizers: dict[str, PostTokenizer] = {}
                for model in (sentiment, emotion):
                    key = _tokenizer_key(model)
                    if key not in tokenizers:
                        tokenizers[key] = PostTokenizer(model.tokenizer_file, model.max_tokens)
                self._loaded = Loaded(sentiment, emotion, tokenizers)
            return self._loaded

    async def analyse(self, texts: Sequence[str]) -> list[Analysis]:
        """One analysis a text, in their order. Transient while Triton is away, Rejected if it refuses a text."""
        if not texts:
            return []
        loaded = await self.models()
        tokens = dict(
            zip(
                loaded.tokenizers,
                await asyncio.gather(*(t.encode(texts) for t in loaded.tokenizers.values())),
                strict=True,
            )
        )
        sentiment, emotion = await asyncio.gather(
            *(self._scores(model, tokens[_tokenizer_key(model)]) for model in (loaded.sentiment, loaded.emotion))
        )
        names = sentiment_names(loaded.sentiment.labels)
        return [
            Analysis(
                model_name=loaded.sentiment.source,
                sentiment_label=with_neutral_band(label, score, names, self._neutral_below),
                confidence=score,
                emotion=mood,
                emotion_confidence=mood_score,
            )
            for (label, score), (mood, mood_score) in zip(
                top_labels(sentiment, names), top_labels(emotion, loaded.emotion.labels), strict=True
            )
        ]

    async def check(self) -> None:
        """A real inference on both models: Triton says ready even when the process behind a model is dead."""
        await self.analyse([PROBE_TEXT])

    async def _scores(self, model: Model, tokens: list[TokenIds]) -> NDArray[np.float32]:
        batches = plan_batches(
            [len(t) for t in tokens], model.lengths, max_rows=model.max_rows, max_tokens=self._max_tokens
        )
        logits = np.empty((len(tokens), len(model.labels)), np.float32)

        async def ask(batch: Batch) -> None:
            async with self._permits[model.name]:
                logits[list(batch.rows)] = await self._triton.infer(model.name, *pad_right(tokens, batch))

        # A task group: the first failure cancels the rest, instead of leaving requests behind that nobody waits for.
        try:
            async with asyncio.TaskGroup() as group:
                for batch in batches:
                    group.create_task(ask(batch))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return probabilities(logits, model.activation)

    def close(self) -> None:
        for tokenizer in self._loaded.tokenizers.values() if self._loaded else ():
            tokenizer.close()


def _tokenizer_key(model: Model) -> str:
    return f"{model.tokenizer_sha256}:{model.max_tokens}"


@asynccontextmanager
async def open_analyzer(settings: Settings) -> AsyncIterator[Analyzer]:
    """An analyzer on the Triton of the settings. Opens also while Triton is away."""
    async with open_triton(settings.triton_url, settings.inference_timeout_s) as triton:
        analyzer = Analyzer(triton, settings)
        try:
            yield analyzer
        finally:
            analyzer.close()
