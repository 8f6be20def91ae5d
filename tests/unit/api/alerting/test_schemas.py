"""A rule is complete and makes sense, or is refused with a sentence."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.api.alerting.rule import Rule
from services.api.schemas.alerts import RuleInput

RATIO = {"name": "r", "kind": "sentiment_ratio", "threshold": 0.5}
EMOTION = {"name": "e", "kind": "emotion_ratio", "threshold": 0.25, "emotion": "anger"}
VOLUME = {"name": "v", "kind": "volume", "threshold": 500}


@pytest.mark.parametrize("body", [RATIO, EMOTION, VOLUME, RATIO | {"sentiment": "positive", "keyword": "#nhs"}])
def test_a_rule_is_read(body: dict[str, Any]) -> None:
    rule = RuleInput.model_validate(body).rule(7)
    assert (rule.id, rule.name, rule.kind) == (7, body["name"], body["kind"])


def test_what_is_left_out_is_that_of_the_settings() -> None:
    rule = RuleInput.model_validate(RATIO).rule(1)
    assert rule == Rule(0.5, 5, 10, id=1, name="r", sentiment="negative")


def test_names_and_keywords_lose_the_space_around_them_and_webhooks_their_repetitions() -> None:
    rule = RuleInput.model_validate(RATIO | {"name": " a ", "keyword": " b ", "webhooks": ["x", "y", "x"]}).rule(1)
    assert (rule.name, rule.keyword, rule.webhooks) == ("a", "b", ("x", "y"))


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (RATIO | {"threshold": 1}, "below 1"),
        (RATIO | {"threshold": 0}, "greater than 0"),
        (RATIO | {"threshold": float("nan")}, "threshold"),
        (RATIO | {"emotion": "joy"}, "belongs to emotion_ratio"),
        (EMOTION | {"emotion": None}, "which one"),
        (EMOTION | {"sentiment": "negative"}, "belongs to sentiment_ratio"),
        (VOLUME | {"emotion": "joy"}, "belongs to emotion_ratio"),
        (VOLUME | {"threshold": 1e300}, "less than or equal"),
        (RATIO | {"kind": "other"}, "kind"),
        (RATIO | {"name": "  "}, "blank"),
        (RATIO | {"name": "a\x00"}, "NUL"),
        (RATIO | {"keyword": "!!"}, "no word"),
        (RATIO | {"keyword": "a" * 101}, "at most 100"),
        (RATIO | {"source": ""}, "at least 1"),
        (RATIO | {"window_minutes": 1_441}, "1440"),
        (RATIO | {"window_minutes": "5"}, "window_minutes"),
        (RATIO | {"min_posts": 0}, "min_posts"),
        (RATIO | {"id": 5}, "id"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(body: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        RuleInput.model_validate(body)
