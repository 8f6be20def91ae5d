"""Repositories with versions of other labels and other tokenizers, and what each version says of our texts."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from export.repository import Repository
from export.triton_config import parse
from services.common.messages import Analysis
from services.inference.models import Model, parse_model
from services.inference.scoring import Verdict, emotions, sentiments
from tests.integration.exported import WORDS, logits_of, publish

TEXTS = [" ".join(random.Random(number).choices(WORDS, k=1 + number % 60)) for number in range(40)]
SENTIMENTS = (("negative", "neutral", "positive"), ("NEGATIVE", "POSITIVE"))
EMOTIONS = (("joy", "anger", "fear", "sadness"), ("fear", "joy", "surprise"))
NEUTRAL_BELOW = 0.6
TOLERANCE = 1e-5


def make_repository(folder: Path) -> Repository:
    """Two versions of `sentiment` and `emotion`, the first in service: every label set and every tokenizer differs."""
    made = Repository(folder)
    for number, (feelings, moods) in enumerate(zip(SENTIMENTS, EMOTIONS, strict=True)):
        publish(made, "sentiment", feelings, shift=300 * number)
        publish(made, "emotion", moods, shift=150 + 300 * number)
    return made


class Expected:
    """What each version says of TEXTS, computed without a server."""

    def __init__(self, repository: Repository) -> None:
        self.sentiments = _by_version(repository, "sentiment")
        self.emotions = _by_version(repository, "emotion")

    def check(self, answers: Sequence[Analysis]) -> tuple[int, int]:
        """The versions that one call's answers to TEXTS name, having compared each with what these say."""
        named = {(a.model_name, a.model_version, a.emotion_model_name, a.emotion_model_version) for a in answers}
        ((sentiment, sentiment_version, emotion, emotion_version),) = named
        _equal([(a.sentiment_label, a.confidence) for a in answers], self.sentiments[sentiment, sentiment_version])
        _equal([(a.emotion, a.emotion_confidence) for a in answers], self.emotions[emotion, emotion_version])
        return sentiment_version, emotion_version


Verdicts = Mapping[tuple[str, int], Sequence[Verdict]]


def _by_version(repository: Repository, name: str) -> Verdicts:
    found = {}
    for number in repository.versions(name):
        folder = repository.version_folder(name, number)
        model = parse_model(parse((folder / "configs" / "cpu.pbtxt").read_text()), repository.folder)
        found[model.source, number] = _verdicts(model, logits_of(folder, TEXTS))
    return found


def _verdicts(model: Model, logits: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> list[Verdict]:
    return sentiments(model, logits, NEUTRAL_BELOW) if model.name == "sentiment" else emotions(model, logits)


def _equal(answers: Sequence[Verdict], expected: Sequence[Verdict]) -> None:
    assert [label for label, _ in answers] == [label for label, _ in expected]
    np.testing.assert_allclose([score for _, score in answers], [score for _, score in expected], atol=TOLERANCE)
