"""The text that `/metrics` gives, read."""

import re
import urllib.request
from collections.abc import Mapping

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
_SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?\s+(\S+)")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


def read(url: str, timeout_s: float = 10.0) -> Samples:
    with urllib.request.urlopen(url, timeout=timeout_s) as answer:
        return parse(answer.read().decode())


def parse(text: str) -> Samples:
    """Values by name and labels; labels are sorted by name."""
    found: Samples = {}
    for line in text.splitlines():
        match = None if line.startswith("#") else _SAMPLE.match(line)
        if match:
            name, labels, value = match.groups()
            found[name, tuple(sorted(_LABEL.findall(labels or "")))] = float(value)
    return found


def total(samples: Samples, name: str) -> float:
    """The sum over all labels; 0 where there is none."""
    return sum(value for (sample, _), value in samples.items() if sample == name)


def by_label(samples: Samples, name: str, label: str) -> dict[str, float]:
    """The sum for each value of one label."""
    found: dict[str, float] = {}
    for (sample, labels), value in samples.items():
        key = dict(labels).get(label)
        if sample == name and key is not None:
            found[key] = found.get(key, 0.0) + value
    return found


def stage_means(before: Samples, after: Samples, name: str, label: str = "stage") -> dict[str, dict[str, float]]:
    """What a histogram saw between two readings: for each label its mean in seconds, the sum, and the count."""
    sums = _growth(by_label(before, f"{name}_sum", label), by_label(after, f"{name}_sum", label))
    counts = _growth(by_label(before, f"{name}_count", label), by_label(after, f"{name}_count", label))
    return {
        stage: {"mean_s": sums[stage] / counts[stage], "sum_s": sums[stage], "count": counts[stage]}
        for stage in sums
        if counts.get(stage)
    }


def _growth(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    return {key: value - before.get(key, 0.0) for key, value in after.items()}
