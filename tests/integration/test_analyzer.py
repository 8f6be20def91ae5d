"""Answers of the real Triton: right, and the same in every company."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from services.common.errors import Transient
from services.common.settings import Settings
from services.inference.analyzer import Analyzer, open_analyzer
from tests.parity.direct import direct_scores
from tests.posts import make_posts

TOLERANCE = 1e-3


@pytest.fixture
async def analyzer(triton_settings: Settings) -> AsyncIterator[Analyzer]:
    async with open_analyzer(triton_settings) as analyzer:
        yield analyzer


async def test_answers_equal_the_runtime_called_directly_on_each_text_alone(analyzer: Analyzer) -> None:
    texts = [post.content for post in make_posts(50)]
    analyses = await analyzer.analyse(texts)
    models = await analyzer.models()
    sentiment, emotion = direct_scores("sentiment", texts), direct_scores("emotion", texts)
    for analysis, s, e in zip(analyses, sentiment, emotion, strict=True):
        assert abs(analysis.confidence - s[models.sentiment.model.labels.index(analysis.sentiment_label)]) < TOLERANCE
        assert abs(analysis.confidence - s.max()) < TOLERANCE
        assert abs(analysis.emotion_confidence - e[models.emotion.model.labels.index(analysis.emotion)]) < TOLERANCE
        assert abs(analysis.emotion_confidence - e.max()) < TOLERANCE
        assert (analysis.model_name, analysis.model_version) == ("undertone-starter-sentiment", 1)
        assert (analysis.emotion_model_name, analysis.emotion_model_version) == ("undertone-starter-emotion", 1)


async def test_an_answer_does_not_depend_on_its_neighbours(analyzer: Analyzer) -> None:
    texts = [post.content for post in make_posts(30, seed=3)]
    order = list(range(len(texts)))
    random.Random(1).shuffle(order)
    together = await analyzer.analyse([texts[i] for i in order])
    alone = await asyncio.gather(*(analyzer.analyse([text]) for text in texts))
    for position, i in enumerate(order):
        (single,) = alone[i]
        assert abs(together[position].confidence - single.confidence) < TOLERANCE
        assert abs(together[position].emotion_confidence - single.emotion_confidence) < TOLERANCE


@pytest.mark.parametrize(
    ("text", "sentiment", "emotion"),
    [
        ("I love this so much, best day ever!!", "positive", "joy"),
        ("This is disgusting, I feel sick just looking at it", "negative", "disgust"),
        ("I am so angry, they lied to us again", "negative", "anger"),
        ("The train leaves at nine from platform two.", "neutral", "neutral"),
        ("I cried all night, I miss him so much", "negative", "sadness"),
        ("😂😂😂", "positive", "joy"),
    ],
)
async def test_plain_feelings_are_understood(analyzer: Analyzer, text: str, sentiment: str, emotion: str) -> None:
    (analysis,) = await analyzer.analyse([text])
    assert (analysis.sentiment_label, analysis.emotion) == (sentiment, emotion)


async def test_the_longest_text_is_cut_and_answered(analyzer: Analyzer) -> None:
    (analysis,) = await analyzer.analyse(["wonderful " * 4_000])
    assert analysis.sentiment_label == "positive"


async def test_no_texts_have_no_answers(analyzer: Analyzer) -> None:
    assert await analyzer.analyse([]) == []


async def test_a_triton_that_is_away_is_transient(settings: Settings) -> None:
    async with open_analyzer(settings) as analyzer:
        with pytest.raises(Transient, match="Triton"):
            await analyzer.check()
