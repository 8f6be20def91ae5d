"""What runs come to: tables, and the document that holds them."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.chaos.__main__ import DOCUMENT
from tests.chaos.compare import Violation
from tests.chaos.kinds import KINDS
from tests.chaos.options import parse
from tests.chaos.report import faults_table, fill, kinds_table, letters_table, runs_table, write_document
from tests.chaos.run import Outcome, Trial
from tests.chaos.schedule import Fault
from tests.chaos.watch import Blow

AT = datetime(2026, 1, 1, tzinfo=UTC)
KILL, STALL = Fault(1.0, "kill", "redis", 0.0), Fault(2.0, "stall", "postgres", 3.5)
OUTCOME = Outcome(
    trial=Trial(seed=7, posts=100, seconds=10.0, faults=(KILL, STALL)),
    seconds=20.0,
    posts=120,
    again=5,
    redelivered=4,
    letters=Counter(too_long=2, empty_field=1),
    blows=[Blow(KILL, AT, 1.5), Blow(STALL, AT, 4.0)],
    peak_mb={"worker-1": 130.0, "worker-2": 140.0, "api": 150.0},
    violations=[],
    alerts=1,
)


def cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]


def test_a_row_of_a_run_tells_what_was_lost_and_what_else_was_wrong() -> None:
    bad = replace(OUTCOME, violations=[Violation("lost post", "a"), Violation("lost post", "b"), Violation("log", "c")])
    headers, _, well, wrong = cells(runs_table([OUTCOME, bad]))
    named = [dict(zip(headers, row, strict=True)) for row in (well, wrong)]
    assert [(row["seed"], row["posts"], row["lost"], row["other violations"]) for row in named] == [
        ("7", "120", "0", "0"),
        ("7", "120", "2", "1"),
    ]
    assert named[0]["worker, MB"] == "140"


def test_faults_stand_with_the_time_after_which_posts_were_stored_again() -> None:
    assert cells(faults_table(OUTCOME))[2:] == [
        ["1.0", "kill redis", "-", "1.5"],
        ["2.0", "stall postgres", "3.5", "4"],
    ]
    never = replace(OUTCOME, blows=[Blow(KILL, AT)])
    assert cells(faults_table(never))[2][-1] == "never"


def test_kinds_of_several_runs_are_taken_together() -> None:
    later = replace(OUTCOME, blows=[Blow(KILL, AT, 2.5)])
    rows = {row[0]: row[1:] for row in cells(kinds_table([OUTCOME, later]))[2:]}
    assert rows[KINDS["kill"].what] == ["-", "2", "2", "2.5"]
    assert rows[KINDS["flood"].what] == ["-", "0", "-", "-"]
    assert rows.keys() == {kind.what for kind in KINDS.values()}


def test_letters_are_counted_by_their_reason() -> None:
    assert cells(letters_table([OUTCOME, OUTCOME]))[2:] == [["empty_field", "2"], ["too_long", "4"]]


def test_the_parts_of_the_document_are_replaced_and_nothing_else_and_again_nothing_changes(tmp_path: Path) -> None:
    document = tmp_path / "reliability.md"
    document.write_text(DOCUMENT.read_text())
    write_document(document, [OUTCOME], "make chaos")
    once = document.read_text()
    assert all(part in once for part in (kinds_table([OUTCOME]), letters_table([OUTCOME]), "`make chaos`"))
    write_document(document, [OUTCOME], "make chaos")
    assert document.read_text() == once
    empty = dict.fromkeys(("runs", "kinds", "letters"), "")
    assert fill(once, empty) == fill(DOCUMENT.read_text(), empty)


def test_only_a_whole_run_stands_in_the_document_unless_it_is_asked_for() -> None:
    assert parse([]).is_whole
    for smaller in (["--posts", "99"], ["--faults", "59"], ["--seeds", "1,2"]):
        assert not parse(smaller).is_whole
    assert parse(["--seeds", "4,5,6"]).is_whole
    assert parse(["--posts", "9", "--document"]).document


@pytest.mark.parametrize("wrong", [["--posts", "0"], ["--seeds", "1,x"], ["--rate", "-1"], ["more"]])
def test_a_wrong_command_line_is_refused(wrong: list[str]) -> None:
    with pytest.raises(SystemExit):
        parse(wrong)
