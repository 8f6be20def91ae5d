"""A chart as data: measurements say what is to be seen, `bench.plots` draws it in an environment with matplotlib."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Series:
    """`strong`: drawn so that the eye finds it first."""

    label: str
    x: Sequence[float | str]
    y: Sequence[float]
    strong: bool = False


@dataclass(frozen=True)
class Chart:
    """`name` is that of the file, without `.svg`."""

    name: str
    title: str
    kind: Literal["line", "bar", "stacked"]
    x_label: str
    y_label: str
    series: Sequence[Series] = field(default_factory=list)
    x_log: bool = False
    y_log: bool = False
