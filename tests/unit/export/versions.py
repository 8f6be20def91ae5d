"""Versions whose weights are a few bytes: what the repository does with them needs no model."""

from pathlib import Path

from export.repository import Repository
from export.spec import FILES, ModelSpec, Precision, lengths_up_to
from export.version_folder import TOKENIZER, facts_of, write_version


def spec(name: str = "sentiment", version: int = 1, **changes: object) -> ModelSpec:
    values: dict[str, object] = {
        "name": name,
        "version": version,
        "source": "acme/model",
        "revision": "0123abcd",
        "architecture": "distilbert",
        "labels": ("negative", "neutral", "positive"),
        "activation": "softmax",
        "max_tokens": 128,
        "lengths": lengths_up_to(128),
        "tokenizer_sha256": "0" * 64,
        "precisions": ("fp32", "fp16", "trt"),
    }
    return ModelSpec(**(values | changes))  # type: ignore[arg-type] # the tests give what the fields take


def fill(folder: Path, name: str = "sentiment", precisions: tuple[Precision, ...] = ("fp32", "fp16", "trt")) -> None:
    """The files of a version, told apart by their number."""
    for precision in precisions:
        (folder / FILES[precision]).write_bytes(f"{precision} weights of {name} {folder.name}".encode())
    (folder / TOKENIZER).write_text(f'{{"of": "{name} {folder.name}"}}')
    sha256 = facts_of(folder / TOKENIZER).sha256
    write_version(folder, spec(name, int(folder.name), tokenizer_sha256=sha256, precisions=precisions))


def publish(repository: Repository, name: str = "sentiment") -> int:
    with repository.new_version(name) as folder:
        fill(folder, name)
    return int(folder.name)
