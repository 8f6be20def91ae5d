"""Tables, and the document that holds them."""

from pathlib import Path

import pytest

from bench import document, report
from bench.document import NOT_MEASURED, fill, write_document
from bench.options import GPU, MEASUREMENTS, parse
from bench.paths import DOCUMENT
from bench.query_times import charts, tables
from bench.sections import SECTIONS

PARTS = "# Text\n\n<!-- bench: soak -->\n<!-- end -->\n\nbetween\n\n<!-- bench: latency -->\nold\n<!-- end -->\n"


def test_parts_are_replaced_and_nothing_else_and_again_nothing_changes() -> None:
    def part(name: str, before: str) -> str:
        del before
        return f"figures of {name}\n\n| a |\n|---|"

    once = fill(PARTS, part)
    assert "figures of soak" in once
    assert "old" not in once
    assert once.startswith("# Text\n\n<!-- bench: soak -->\n")
    assert "\n\nbetween\n\n" in once
    assert fill(once, part) == once


def test_a_part_without_figures_says_how_to_get_some_or_keeps_what_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document, "results_file", lambda name: tmp_path / f"{name}.json")
    file = tmp_path / "benchmarks.md"
    file.write_text(PARTS)
    write_document(file)
    once = file.read_text()
    assert once.count(NOT_MEASURED) == 1
    assert "\nold\n" in once
    write_document(file)
    assert file.read_text() == once


def test_a_part_shows_what_was_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "results_file", lambda name: tmp_path / f"{name}.json")
    machine = {"cores": 2, "cpu": "a CPU", "flags": ["avx2"], "memory_gb": 8, "kernel": "6", "load_at_start": 0.1}
    row = {"policy": "with", "burst": 8, "requests": 100, "stalled": 13, "median_ms": 2.0}
    asked = {"command": "queue_policy", "quick": False, "rounds": 2, "size": "starter", "device": "cuda", "parts": []}
    report.save(tmp_path / "queue_policy.json", name="queue_policy", options=asked, machine=machine, results=[row])
    file = tmp_path / "benchmarks.md"
    file.write_text("<!-- bench: queue_policy -->\n<!-- end -->\n")
    write_document(file)
    assert "13 (13%)" in file.read_text()
    # Of what was asked for it tells what is not usual.
    assert "`make bench ARGS=queue_policy` (rounds 2, size starter), " in file.read_text()


def test_the_document_has_a_part_for_each_measurement() -> None:
    text = DOCUMENT.read_text()
    assert set(SECTIONS) == {*MEASUREMENTS, GPU}
    assert all(f"<!-- bench: {name} -->" in text for name in SECTIONS)


def test_a_table_has_its_columns_in_line() -> None:
    lines = report.table(["name", "rate"], [["a", 1_234.5], ["longer", None]]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[1] == "|--------|------:|"
    assert "1,234" in lines[2]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1_234_567, "1,234,567"), (1_234.6, "1,235"), (0.01234, "0.0123"), (None, "-"), (float("nan"), "-"), ("x", "x")],
)
def test_numbers_have_as_many_digits_as_mean_something(value: object, expected: str) -> None:
    assert report.text(value) == expected


def test_a_file_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["pipeline", "--posts", "nowhere.jsonl"])
    assert "there is no file" in capsys.readouterr().err
    assert parse(["inference", "--quick"]).quick


def test_times_of_queries_are_set_side_by_side_by_the_number_of_posts() -> None:
    def times(p95_ms: float) -> dict[str, float]:
        return {"p50_ms": 1.0, "p95_ms": p95_ms, "p99_ms": 9.0, "n": 200}

    results = {"sizes": {"1000000": {"newest": times(3.0)}, "10000": {"newest": times(2.0)}}}
    header, _, row = tables(results).splitlines()[2:]
    assert header.index("10,000: p95") < header.index("1,000,000: p95")
    assert [cell.strip() for cell in row.strip("|").split("|")] == ["newest", "1", "2", "9", "1", "3", "9", "1.5"]
    (chart,) = charts(results)
    assert [(series.x, series.y) for series in chart.series] == [(["10,000", "1,000,000"], [2.0, 3.0])]
