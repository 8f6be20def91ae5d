"""Both models over many texts: the one thing that worker and API want of this package."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from services.common.errors import Rejected, Transient
from services.common.messages import Analysis
from services.common.settings import Settings
from services.inference.canary import Canaries
from services.inference.classifier import Answer, Classifier, Score, together
from services.inference.client import TritonClient, open_triton
from services.inference.scoring import emotions, sentiments
from services.inference.served import Loaded, Models, Served

PROBE_TEXT = "ready?"
# How often a call begins anew because another version came into service meanwhile.
MAX_REPEATS = 5


class Analyzer:
    """Learns the models from Triton with the first call, and follows when another version comes into service."""

    def __init__(self, triton: TritonClient, settings: Settings) -> None:
        names = (settings.sentiment_model, settings.emotion_triton_model)
        self._served = Served(triton, settings.model_repository, names, settings.model_refresh_s)
        self._classifier = Classifier(
            triton,
            max_tokens=settings.max_tokens_per_request,
            max_requests_in_flight=settings.max_requests_in_flight,
        )
        self._canaries = Canaries()
        self._sentiments = partial(sentiments, neutral_below=settings.neutral_below)

    async def models(self) -> Models:
        """The models as Triton serves them. Transient while Triton is away; ConfigurationError if they do not fit."""
        return await self._served.models()

    async def analyse(self, texts: Sequence[str]) -> list[Analysis]:
        """One analysis a text, in their order, from the versions that it names.

        Transient while Triton is away, Rejected if it refuses a text.
        """
        if not texts:
            return []
        models = await self._served.models()
        return await self._follow(models, texts, self._canaries.take_turns(models))

    async def check(self) -> None:
        """A real inference on both models: Triton says ready even when the process behind a model is dead."""
        await self._follow(await self._served.models(), [PROBE_TEXT], frozenset())

    async def _follow(self, models: Models, texts: Sequence[str], turns: frozenset[str]) -> list[Analysis]:
        """A version stops answering once another one has its place: then all begins anew, with the other's tokens."""
        for _ in range(MAX_REPEATS):
            try:
                return await self._analyse(models, texts, turns)
            except (Transient, Rejected) as failure:
                models = await self._served.instead_of(models, failure)
        return await self._analyse(models, texts, turns)

    async def _analyse(self, models: Models, texts: Sequence[str], turns: frozenset[str]) -> list[Analysis]:
        """By exactly these models; `turns`: those whose canary answers in their stead."""
        tokens = await self._classifier.encode(texts, (loaded.tokenizer for loaded in models.in_service()))

        async def answer(in_service: Loaded, score: Score) -> Answer:
            async def ask(loaded: Loaded) -> Answer:
                if loaded.tokenizer not in tokens:
                    tokens.update(await self._classifier.encode(texts, [loaded.tokenizer]))
                return await self._classifier.ask(loaded, tokens, score)

            canary = models.canaries.get(in_service.model.name)
            if canary is None or in_service.model.name not in turns:
                return await ask(in_service)
            return await self._canaries.answer(canary, in_service, ask)

        if turns:
            # Nothing of this call may run beside one of the two that are timed and not beside the other.
            sentiment = await answer(models.sentiment, self._sentiments)
            emotion = await answer(models.emotion, emotions)
        else:
            sentiment, emotion = await together(
                answer(models.sentiment, self._sentiments), answer(models.emotion, emotions)
            )
        return [
            Analysis(
                model_name=sentiment.model.source,
                model_version=sentiment.model.version,
                sentiment_label=label,
                confidence=confidence,
                emotion_model_name=emotion.model.source,
                emotion_model_version=emotion.model.version,
                emotion=mood,
                emotion_confidence=mood_confidence,
            )
            for (label, confidence), (mood, mood_confidence) in zip(sentiment.verdicts, emotion.verdicts, strict=True)
        ]

    def close(self) -> None:
        self._classifier.close()


@asynccontextmanager
async def open_analyzer(settings: Settings) -> AsyncIterator[Analyzer]:
    """An analyzer on the Triton of the settings. Opens also while Triton is away."""
    async with open_triton(settings.triton_url, settings.inference_timeout_s) as triton:
        analyzer = Analyzer(triton, settings)
        try:
            yield analyzer
        finally:
            analyzer.close()
