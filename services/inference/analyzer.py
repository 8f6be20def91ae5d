"""Both models over many texts: the one thing that worker and API want of this package."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from services.common.messages import Analysis
from services.common.settings import Settings
from services.inference.access import Access
from services.inference.canary import Canaries
from services.inference.classifier import Answer, Classifier, Score, together
from services.inference.client import open_triton
from services.inference.model_server import ModelServer
from services.inference.scorer import Cut, Role, Scored, Scorer
from services.inference.scoring import emotions, sentiments
from services.inference.served import Loaded, Models, Served
from services.inference.statistics import Split, Splits
from services.inference.tokenizer import Input

PROBE_TEXT = "ready?"


@dataclass(frozen=True)
class Inferred:
    """One model's part of a call: when its last answer was there (seconds since the epoch), and what it took.

    `split`: how requests of that model divided their time just then, as Triton reports it; None where it does not.
    """

    at: float
    took_ms: float
    requests: int
    split: Split | None


@dataclass(frozen=True)
class Course:
    """How a call went. Of one call the moments are in order, whatever happens to the clock meanwhile."""

    tokenized_at: float
    tokenize_ms: float
    sentiment: Inferred
    emotion: Inferred


@dataclass(frozen=True)
class _Call:
    """What a call has to tell; moments are those of `time.perf_counter`, `epoch` the time of its zero."""

    analyses: list[Analysis]
    epoch: float
    began: float
    tokenized: float
    sentiment: Answer
    emotion: Answer


class Analyzer:
    """Learns the models from Triton with the first call, and follows when another version comes into service."""

    def __init__(self, triton: ModelServer, settings: Settings, max_requests_in_flight: int | None = None) -> None:
        """`max_requests_in_flight`: at Triton, per model; by default as the settings say."""
        names = (settings.sentiment_model, settings.emotion_triton_model)
        self._served = Served(triton, settings.model_repository, names, settings.model_refresh_s)
        self._classifier = Classifier(
            triton,
            max_tokens=settings.max_tokens_per_request,
            max_requests_in_flight=max_requests_in_flight or settings.max_requests_in_flight,
        )
        self._scorer = Scorer(self._served, self._classifier)
        self._canaries = Canaries()
        self._splits = Splits(triton)
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
        turns = self._canaries.take_turns(models)
        return (await self._served.follow(models, lambda newest: self._analyse(newest, texts, turns))).analyses

    async def analyse_timed(self, texts: Sequence[str]) -> tuple[list[Analysis], Course]:
        """The same for one text or more, and how it went. Of repeated attempts the last one counts."""
        models = await self._served.models()
        turns = self._canaries.take_turns(models)
        counters = await self._splits.begin()
        call = await self._served.follow(models, lambda newest: self._analyse(newest, texts, turns))
        splits = await self._splits.end(counters)

        def inferred(answer: Answer) -> Inferred:
            split = splits.get((answer.model.name, answer.model.version))
            return Inferred(call.epoch + answer.ended, 1_000 * answer.seconds, answer.requests, split)

        tokenize_ms = 1_000 * (call.tokenized - call.began)
        course = Course(call.epoch + call.tokenized, tokenize_ms, inferred(call.sentiment), inferred(call.emotion))
        return call.analyses, course

    async def score(self, inputs: Sequence[Input], roles: Sequence[Role], cut: Cut | None) -> Scored:
        """Every score of each input by the models of these roles; see Scorer."""
        return await self._scorer.score(inputs, roles, cut)

    async def check(self) -> None:
        """A real inference on both models: Triton says ready even when the process behind a model is dead."""
        await self._served.follow(
            await self._served.models(), lambda models: self._analyse(models, [PROBE_TEXT], frozenset())
        )

    async def _analyse(self, models: Models, texts: Sequence[str], turns: frozenset[str]) -> _Call:
        """By exactly these models; `turns`: those whose canary answers in their stead."""
        began = time.perf_counter()
        epoch = time.time() - began
        tokens = await self._classifier.encode(texts, (loaded.tokenizer for loaded in models.in_service()))
        tokenized = time.perf_counter()

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
        analyses = [
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
        return _Call(analyses, epoch, began, tokenized, sentiment, emotion)

    def close(self) -> None:
        self._classifier.close()


@asynccontextmanager
async def open_analyzer(settings: Settings, max_requests_in_flight: int | None = None) -> AsyncIterator[Analyzer]:
    """An analyzer on the Triton of the settings. Opens also while Triton is away."""
    async with open_triton(settings.triton_url, settings.inference_timeout_s, Access.of(settings)) as triton:
        analyzer = Analyzer(triton, settings, max_requests_in_flight)
        try:
            yield analyzer
        finally:
            analyzer.close()
