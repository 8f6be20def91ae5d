"""Figures as a table, which reads well in a terminal and in a document, and as JSON."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table with aligned columns; all but the first are aligned right."""
    cells = [list(headers), *([text(cell) for cell in row] for row in rows)]
    widths = [max(3, *(len(row[column]) for row in cells)) for column in range(len(headers))]

    def line(row: Sequence[str]) -> str:
        first, *rest = (
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        return "| " + " | ".join([first, *rest]) + " |"

    dashes = ["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])]
    rule = "|" + "|".join(dashes) + "|"
    return "\n".join([line(cells[0]), rule, *(line(row) for row in cells[1:])])


def text(value: object) -> str:
    """Three significant digits, thousands apart, nothing for what was not measured."""
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if math.isnan(value):
        return "-"
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def save(file: Path, *, name: str, options: Mapping[str, Any], machine: Mapping[str, Any], results: Any) -> None:
    """All of it, and when it was measured, as one JSON file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "name": name,
        "command": f"make bench ARGS={name}",
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "options": dict(options),
        "machine": dict(machine),
        "results": results,
    }
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(content, indent=1, default=str) + "\n")
    unfinished.rename(file)


def load(file: Path) -> dict[str, Any] | None:
    """What `save` wrote; None where nothing was measured yet."""
    if not file.is_file():
        return None
    content: dict[str, Any] = json.loads(file.read_text())
    return content
