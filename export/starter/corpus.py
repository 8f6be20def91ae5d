"""Training and development text: gzip'd TSV files, `text<TAB>label[,label...]`, one post a line.

The files are not part of the project (some of the text may not be redistributed); `--data` says where they lie.
"""

import gzip
from dataclasses import dataclass
from pathlib import Path

from export.spec import Architecture

SENTIMENT_LABELS = ("negative", "neutral", "positive")
EMOTION_LABELS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")


@dataclass(frozen=True)
class Example:
    """One post and the labels that its annotators gave it."""

    text: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """One training run. Each file of `repeated` is in it twice: a small set weighs more that way.

    `share` is the run's part in the published weights, which are the mean of all runs; chosen on the development sets.
    """

    seed: int
    share: float
    repeated: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """What one starter model learns: its labels, its files, and the architecture that it takes."""

    name: str
    architecture: Architecture
    labels: tuple[str, ...]
    train: tuple[str, ...]
    dev: tuple[tuple[str, str], ...]
    epochs: int
    runs: tuple[Run, ...]


TASKS = {
    "sentiment": Task(
        name="sentiment",
        architecture="distilbert",
        labels=SENTIMENT_LABELS,
        train=("sentiment.semeval.train", "sentiment.goemotions.train"),
        dev=(("tweeteval", "sentiment.tweeteval.val"), ("goemotions", "sentiment.goemotions.dev")),
        epochs=2,
        runs=(Run(2, 1.0),),
    ),
    "emotion": Task(
        name="emotion",
        architecture="roberta",
        labels=EMOTION_LABELS,
        train=("emotion.goemotions.train", "emotion.tweeteval.train"),
        dev=(("tweeteval", "emotion.tweeteval.val"), ("goemotions", "emotion.goemotions.dev")),
        epochs=3,
        runs=(Run(1, 0.5), Run(2, 0.2), Run(3, 0.3, repeated=("emotion.tweeteval.train",))),
    ),
}


def read_examples(data: Path, name: str, labels: tuple[str, ...]) -> list[Example]:
    """The examples of `<data>/<name>.tsv.gz`; ValueError names the first line that is not `text<TAB>labels`."""
    path = data / f"{name}.tsv.gz"
    known = set(labels)
    examples = []
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as lines:
        for number, line in enumerate(lines, 1):
            text, tab, joined = line.rstrip("\n").rpartition("\t")
            found = tuple(joined.split(","))
            if not tab or not known.issuperset(found):
                raise ValueError(f"{path}, line {number}: expected text<TAB>labels out of {', '.join(labels)}")
            examples.append(Example(text, found))
    return examples


def training_texts(data: Path) -> list[str]:
    """Every training text of both tasks: what the vocabulary is counted on."""
    return [e.text for t in TASKS.values() for name in t.train for e in read_examples(data, name, t.labels)]
