"""Texts with their right labels, to measure accuracy on."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from export.errors import ExportError
from export.evidence.sample_posts import is_text, numbered_lines

FORMATS = "text<TAB>label[,label] (.tsv) or JSON lines with text and label or labels (.jsonl), plain or .gz"


@dataclass(frozen=True)
class Example:
    """A text and the numbers of its labels, at least one."""

    text: str
    labels: tuple[int, ...]


def read_labelled(path: Path, labels: Sequence[str]) -> list[Example]:
    """The examples of a file in one of `FORMATS`; `labels` are the model's, upper and lower case being the same.

    ExportError names the line that is no example or has a label that the model does not know.
    """
    read = _FORMATS.get(path.name.removesuffix(".gz").rpartition(".")[2])
    if read is None:
        raise ExportError(f"{path} is no file of labelled texts: expected {FORMATS}")
    numbers = {label.lower(): number for number, label in enumerate(labels)}
    examples = []
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        text, names = read(line, where)
        unknown = [name for name in names if name.lower() not in numbers]
        if unknown:
            raise ExportError(f"{where}: the model has no label {unknown[0]!r}, only {', '.join(labels)}")
        examples.append(Example(text, tuple(numbers[name.lower()] for name in names)))
    if not examples:
        raise ExportError(f"{path} has no examples in it: expected {FORMATS}")
    return examples


def sample(examples: Sequence[Example], count: int) -> list[Example]:
    """At most `count` of them, evenly spread over the file and always the same."""
    if len(examples) <= count:
        return list(examples)
    return [examples[i * len(examples) // count] for i in range(count)]


def _tsv(line: str, where: str) -> tuple[str, list[str]]:
    text, tab, joined = line.rpartition("\t")
    names = [name.strip() for name in joined.split(",")]
    if not tab or not text.strip() or not all(names):
        raise ExportError(f"{where}: expected text<TAB>label, several labels separated by commas")
    return text, names


def _json(line: str, where: str) -> tuple[str, list[str]]:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        data = None
    if isinstance(data, dict):
        text, names = data.get("text"), data.get("labels", data.get("label"))
        names = [names] if isinstance(names, str) else names
        if is_text(text) and isinstance(names, list) and names and all(map(is_text, names)):
            return text, names
    raise ExportError(f'{where}: expected {{"text": "…", "label": "…"}} or {{"text": "…", "labels": ["…"]}}')


_FORMATS = {"tsv": _tsv, "jsonl": _json}
