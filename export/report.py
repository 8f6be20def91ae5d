"""What a verification found, for people (report.md) and for programs (report.json)."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from export.files import write_text
from export.version_folder import REPORT_JSON, REPORT_MARKDOWN


@dataclass(frozen=True)
class Gate:
    """One check. `passed` None: not checked, and `summary` says why. `figures` hold JSON values alone."""

    name: str
    passed: bool | None
    summary: str
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        return {True: "passed", False: "FAILED", None: "not checked"}[self.passed]


@dataclass(frozen=True)
class Report:
    """The gates of one version, in the order in which they were tried. `created_at` is UTC, ISO 8601."""

    model: str
    version: int
    source: str
    revision: str
    created_at: str
    environment: Mapping[str, str]
    gates: Sequence[Gate]

    @property
    def passed(self) -> bool:
        """No gate failed. One that was not checked forbids nothing."""
        return all(gate.passed is not False for gate in self.gates)

    def failures(self) -> str:
        """A line for each gate that failed."""
        return "\n".join(f"{gate.name}: {gate.summary}" for gate in self.gates if gate.passed is False)

    @property
    def verdict(self) -> str:
        """One sentence on the whole version."""
        failed = [gate.name for gate in self.gates if gate.passed is False]
        unchecked = [gate.name for gate in self.gates if gate.passed is None]
        if failed:
            return f"FAILED: {', '.join(failed)}"
        return "Passed" + (f"; not checked: {', '.join(unchecked)}" if unchecked else "")

    def to_json(self) -> str:
        data = _finite(asdict(self)) | {"passed": self.passed}
        return json.dumps(data, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Report":
        """The report again; ValueError, KeyError or TypeError where the text is none."""
        data: dict[str, Any] = json.loads(text)
        del data["passed"]
        return cls(**data | {"gates": tuple(Gate(**gate) for gate in data["gates"])})

    def to_markdown(self) -> str:
        parts = (self._head(), self._results(), self._speed(), self._machine())
        return "\n\n".join(part for part in parts if part) + "\n"

    def write(self, folder: Path) -> None:
        """`report.json` and `report.md`, each replaced by a rename."""
        write_text(folder / REPORT_JSON, self.to_json())
        write_text(folder / REPORT_MARKDOWN, self.to_markdown())

    def _head(self) -> str:
        return (
            f"# Verification of {self.model} version {self.version}\n\n**{self.verdict}**\n\n"
            f"Made from {self.source}, revision {self.revision}; verified {self.created_at}."
        )

    def _results(self) -> str:
        rows = [(gate.name, gate.verdict, gate.summary) for gate in self.gates]
        return _table(("gate", "result", "figures"), rows)

    def _speed(self) -> str:
        """Rows a second of each length, where they were measured."""
        lengths = next((gate.figures["lengths"] for gate in self.gates if "lengths" in gate.figures), None)
        if not lengths:
            return ""
        rows = [
            (str(row["tokens"]), f"{row['share']:.1%}", f"{row['candidate']:.1f}", f"{row['in_service']:.1f}")
            for row in lengths
        ]
        head = ("tokens", "share of posts", f"version {self.version}, rows/s", "in service, rows/s")
        return "## Speed on the CPU, through Triton\n\n" + _table(head, rows)

    def _machine(self) -> str:
        return "## Measured with\n\n" + _table(("", ""), list(self.environment.items()))


def _finite(value: Any) -> Any:
    """JSON has no word for infinity or what is no number."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, (list, tuple)) else value


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
