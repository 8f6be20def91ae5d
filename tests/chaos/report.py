"""What came of the runs, as tables: for the terminal, and for docs/reliability.md between its markers."""

import re
import statistics
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench import machine
from bench.report import table
from tests.chaos.compare import Violation
from tests.chaos.kinds import KINDS
from tests.chaos.run import Outcome

# What has a column of its own.
_COUNTED = ("lost post", "doubled post", "changed post", "missing dead letter", "doubled dead letter")
_PART = re.compile(r"(<!-- chaos: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def faults_table(outcome: Outcome) -> str:
    """Every fault of a run: when, what, how long, and how soon posts were stored again."""
    rows = [
        [
            f"{blow.fault.at_s:.1f}",
            blow.fault.name,
            blow.fault.lasts_s or None,
            "never" if blow.healed_s is None else blow.healed_s,
        ]
        for blow in sorted(outcome.blows, key=lambda blow: blow.fault.at_s)
    ]
    return table(["at, s", "fault", "lasts, s", "stored again, s"], rows)


def runs_table(outcomes: Sequence[Outcome]) -> str:
    """A row a seed."""
    rows = [
        [
            outcome.trial.seed,
            outcome.posts,
            len(outcome.blows),
            _count(outcome.violations, "lost post"),
            _count(outcome.violations, "doubled post"),
            _count(outcome.violations, "changed post"),
            outcome.again,
            outcome.redelivered,
            sum(outcome.letters.values()),
            sum(_count(outcome.violations, kind) for kind in ("missing dead letter", "doubled dead letter")),
            len([each for each in outcome.violations if each.kind not in _COUNTED]),
            max(mb for name, mb in outcome.peak_mb.items() if name.startswith("worker")),
            outcome.peak_mb["api"],
        ]
        for outcome in outcomes
    ]
    headers = ["seed", "posts", "faults", "lost", "doubled", "changed", "offered again", "found stored"]
    headers += ["dead letters", "missing or doubled", "other violations", "worker, MB", "API, MB"]
    return table(headers, rows)


def kinds_table(outcomes: Sequence[Outcome]) -> str:
    """A row a kind of fault: how often it struck, and how soon posts were stored again."""
    rows = []
    for kind, about in KINDS.items():
        blows = [blow for outcome in outcomes for blow in outcome.blows if blow.fault.kind == kind]
        healed = [blow.healed_s for blow in blows if blow.healed_s is not None]
        shortest_s, longest_s = about.seconds
        lasts = f"{shortest_s:g} to {longest_s:g}" if longest_s else None
        times = [statistics.median(healed), max(healed)] if healed else [None, None]
        rows.append([about.what, lasts, len(blows), *times])
    return table(["fault", "lasts, s", "struck", "stored again: median, s", "longest, s"], rows)


def letters_table(outcomes: Sequence[Outcome]) -> str:
    """A row a reason."""
    letters: Counter[str] = sum((outcome.letters for outcome in outcomes), Counter())
    return table(["reason", "dead letters"], [[reason, letters[reason]] for reason in sorted(letters)])


def write_document(document: Path, outcomes: Sequence[Outcome], command: str) -> None:
    """Replaces the parts of the long run, and nothing else."""
    parts = {
        "runs": f"{runs_table(outcomes)}\n\n{source(command)}",
        "kinds": kinds_table(outcomes),
        "letters": letters_table(outcomes),
    }
    document.write_text(fill(document.read_text(), parts))


def source(command: str) -> str:
    """Where figures are from."""
    taken = datetime.now(UTC).date().isoformat()
    return f"<sub>`{command}`, {taken}: {machine.sentence(machine.describe())}.</sub>"


def fill(text: str, parts: dict[str, str]) -> str:
    """The text with the parts between their markers; others stay as they are. ValueError where a part has no marker."""
    missing = parts.keys() - {found[2] for found in _PART.finditer(text)}
    if missing:
        raise ValueError(f"the document has no place for {', '.join(sorted(missing))}")
    return _PART.sub(lambda found: f"{found[1]}{parts[found[2]]}\n{found[3]}" if found[2] in parts else found[0], text)


def _count(violations: Sequence[Violation], kind: str) -> int:
    return sum(violation.kind == kind for violation in violations)
