"""A message shows in Slack exactly what it says, and other receivers find the alert in fields."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.alerting.delivery import MAX_WAIT_S, wait_s
from services.api.alerting.message import alert_message, escape, trial_message
from services.api.alerting.row import Alert, AlertScope
from services.api.alerting.sentence import sentence
from services.api.alerting.webhooks import read_retry_after

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def alert(**change: Any) -> Alert:
    values: dict[str, Any] = {
        "id": 5,
        "alert_type": "sentiment_ratio:3",
        "threshold_value": 0.5,
        "actual_value": 0.625,
        "window_start": NOW - timedelta(minutes=5),
        "window_end": NOW,
        "post_count": 1_200,
        "triggered_at": NOW,
        "resolved_at": None,
        "details": {"kind": "sentiment_ratio", "sentiment": "negative", "total": 1_200},
        "rule_id": 3,
        "rule_name": "Trains",
        "scope": AlertScope(source=None, keyword=None, emotion=None),
        "acknowledged_at": None,
        "acknowledged_note": None,
    }
    return Alert(**values | change)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, "62.5 % of 1,200 posts were negative within 5 minutes; the limit is 50 %."),
        (
            {"scope": AlertScope(source="reddit", keyword="new update", emotion=None)},
            "62.5 % of 1,200 posts from reddit with “new update” were negative within 5 minutes; the limit is 50 %.",
        ),
        (
            {"scope": AlertScope(source=None, keyword=None, emotion="anger"), "details": {"kind": "emotion_ratio"}},
            "62.5 % of 1,200 posts showed anger within 5 minutes; the limit is 50 %.",
        ),
        (
            {"details": {"kind": "volume"}, "actual_value": 1_200, "threshold_value": 1_000, "post_count": 1_200},
            "1,200 posts came within 5 minutes; the limit is 1,000.",
        ),
        (
            {
                "alert_type": "high_negative_ratio",
                "details": {"negative": 1},
                "post_count": 1,
                "actual_value": 1,
                "window_start": NOW - timedelta(minutes=1),
            },
            "100 % of 1 post was negative within 1 minute; the limit is 50 %.",
        ),
    ],
)
def test_an_alert_is_one_sentence(change: dict[str, Any], expected: str) -> None:
    assert sentence(alert(**change)) == expected


def test_a_raised_alert_has_what_slack_reads_and_the_row_for_others() -> None:
    message = json.loads(alert_message(alert(), "raised"))
    assert message["text"] == "Alert: Trains"
    (attachment,) = message["attachments"]
    (block,) = attachment["blocks"]
    assert block["type"] == "section"
    assert block["text"] == {"type": "mrkdwn", "text": sentence(alert())}
    assert (message["event"], message["sentence"]) == ("alert.raised", sentence(alert()))
    assert message["alert"] == alert().model_dump(mode="json")


@pytest.mark.parametrize(
    ("resolved", "text"),
    [
        ({"total": 3}, f"It lasted 7 minutes. It was raised because {sentence(alert())}"),
        ({"reason": "rule was deleted"}, "It lasted 7 minutes, until the rule was deleted."),
    ],
)
def test_the_end_of_an_alert_says_how_long_it_was(resolved: dict[str, Any], text: str) -> None:
    over = alert(resolved_at=NOW + timedelta(minutes=7), details=alert().details | {"resolved": resolved})
    message = json.loads(alert_message(over, "resolved"))
    assert (message["text"], message["event"], message["sentence"]) == ("Over: Trains", "alert.resolved", text)


def test_nobody_is_mentioned_and_no_link_is_hidden() -> None:
    hostile_rule = alert(
        rule_name="<!channel> & <https://bad.example|good>",
        scope=AlertScope(source="a<b", keyword="x&amp;y", emotion=None),
    )
    message = json.loads(alert_message(hostile_rule, "raised"))
    shown = json.dumps([message["text"], message["attachments"]])
    assert "<" not in shown
    assert ">" not in shown
    assert message["text"] == "Alert: &lt;!channel&gt; &amp; &lt;https://bad.example|good&gt;"
    assert "x&amp;amp;y" in shown
    assert message["alert"]["rule_name"] == hostile_rule.rule_name  # in fields nothing is escaped


@given(st.text())
def test_escaped_text_has_no_sign_that_slack_reads_and_comes_back(text: str) -> None:
    escaped = escape(text)
    assert "<" not in escaped
    assert ">" not in escaped
    assert escaped.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == text


def test_a_trial_is_told_from_an_alert() -> None:
    assert json.loads(trial_message("ops"))["event"] == "test"


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_each_wait_is_longer_than_the_one_before_up_to_a_limit(chance: float) -> None:
    waits = [wait_s(attempts, chance) for attempts in range(1, 200)]
    assert waits == sorted(waits)
    assert 1.0 <= waits[0] <= 2.0
    assert MAX_WAIT_S / 2 <= waits[-1] <= MAX_WAIT_S


def test_chance_takes_off_up_to_half() -> None:
    assert wait_s(5, 0.0) == 2 * wait_s(5, 1.0) == 32.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("30", 30.0),
        (" 30 ", 30.0),
        ("0", 0.0),
        ("Thu, 01 Jan 2026 12:01:00 GMT", 60.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1e9", None),
        ("", None),
        ("٣", None),
        ("9" * 400, 999_999_999.0),
    ],
)
def test_retry_after_is_read_in_both_of_its_forms(value: str | None, seconds: float | None) -> None:
    assert read_retry_after(value, NOW) == seconds


@given(st.text())
def test_retry_after_may_be_anything(value: str) -> None:
    seconds = read_retry_after(value, NOW)
    assert seconds is None or seconds >= 0
