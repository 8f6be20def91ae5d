"""The command line: what is understood, and what is refused in a sentence before anything is asked of a server."""

from datetime import UTC, datetime, timedelta

import pytest

from services.cli.arguments import parse
from services.common.dead_letters.filters import Filter


def test_filters_are_what_was_said() -> None:
    options = parse(["dead", "list", "--reason", "too_long", "--source", "reddit", "--post-id", "t3_1"])
    assert options.filter == Filter("too_long", "reddit", "t3_1")
    assert options.limit == 20


@pytest.mark.parametrize(
    ("text", "ago"),
    [("90s", 90), ("30m", 1_800), ("2h", 7_200), ("7d", 604_800), ("1w", 604_800)],
)
def test_a_time_may_be_so_long_ago(text: str, ago: int) -> None:
    before = datetime.now(UTC)
    since = parse(["dead", "list", "--since", text]).filter.since
    assert before <= since + timedelta(seconds=ago) <= datetime.now(UTC)


def test_a_time_without_an_offset_is_utc() -> None:
    options = parse(["dead", "list", "--since", "2026-01-31", "--before", "2026-01-31T12:00+02:00"])
    assert options.filter.since == datetime(2026, 1, 31, tzinfo=UTC)
    assert options.filter.before == datetime(2026, 1, 31, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", "required: AREA"),
        ("dead", "required: COMMAND"),
        ("dead show", "ID"),
        ("dead show $", "is no id of a letter"),
        ("dead show 1-99999999999999999999", "is no id of a letter"),
        ("dead list --since soon", "is no time"),
        ("dead list --since 999999w", "is no time"),
        ("dead list --limit 0", "is no number from 1"),
        ("dead list --limit -1", "is no number from 1"),
        ("dead replay", "say which letters"),
        ("dead drop", "say which letters"),
        ("dead drop --all --reason r", "say which letters"),
        ("dead drop 1-1 --all", "say which letters"),
        ("dead drop 1-1 --source x", "say which letters"),
        ("dead replay 1-1 --limit 3", "--limit goes with"),
    ],
)
def test_what_is_not_clear_is_refused_with_a_sentence(line: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        parse(line.split())
    assert stop.value.code == 2
    assert told in capsys.readouterr().err


def test_the_help_has_examples_and_the_meaning_of_the_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["dead", "--help"])
    text = capsys.readouterr().out
    assert "undertone dead replay --reason rejected_by_model" in text
    assert "exit status: 0 done" in text
