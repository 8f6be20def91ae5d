"""A checkpoint from the hub or a folder, checked until nothing about it can surprise the export."""

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.checkpoints.config import CheckpointError, Config, read_config
from export.checkpoints.tokenizer import max_length, tokenizer_file
from export.checkpoints.weights import check_file, fingerprint, load_model, weight_files
from export.spec import Activation, Architecture

__all__ = ["Checkpoint", "CheckpointError", "load_checkpoint"]

MAX_SOURCE = 100


@dataclass(frozen=True)
class Checkpoint:
    """A classifier whose files are whole.

    `source`: its hub id, or the name of its folder; `revision`: the hub's commit, or a hash of configuration and
    weights; `tokenizer`: path of a tokenizer.json; `max_tokens`: the longest text in tokens; `work`: a folder for
    files in between, gone with the checkpoint.
    """

    folder: Path
    source: str
    revision: str
    config: Config
    max_tokens: int
    tokenizer: Path
    weights: tuple[str, ...]
    work: Path

    @property
    def architecture(self) -> Architecture:
        return self.config.architecture

    @property
    def labels(self) -> tuple[str, ...]:
        return self.config.labels

    @property
    def activation(self) -> Activation:
        return self.config.activation

    @property
    def layers(self) -> int:
        return self.config.layers

    @property
    def vocab_size(self) -> int:
        return self.config.vocab_size

    def load_model(self) -> Any:
        """The PyTorch classifier, in fp32 and evaluation mode; the reference for everything exported."""
        return load_model(self.folder, self.config, self.weights, self.source)


def _nothing(_detail: str) -> None:
    pass


@contextmanager
def load_checkpoint(
    model: str,
    revision: str | None = None,
    *,
    token: str | None = None,
    work_in: Path | None = None,
    report: Callable[[str], None] = _nothing,
) -> Iterator[Checkpoint]:
    """The checkpoint in the folder `model`, or of that id on the hub at `revision` (branch, tag or commit).

    CheckpointError says in one sentence what is wrong with it. Nothing is written into the folder, and no network is
    used for one. `work_in`: where `Checkpoint.work` is made, by default among the temporary files.
    """
    with tempfile.TemporaryDirectory(prefix="checkpoint-", dir=work_in) as work:
        try:
            checkpoint = _load(model, revision, token, report, Path(work))
        except PermissionError as error:
            user = f"user {os.geteuid()}"
            raise CheckpointError(f"{error.filename} may not be read by {user}: `chmod a+r` it") from None
        yield checkpoint


def _load(model: str, revision: str | None, token: str | None, report: Callable[[str], None], work: Path) -> Checkpoint:
    folder = Path(model).expanduser()
    commit = None
    if folder.is_dir():
        if revision is not None:
            raise CheckpointError(f"{model} is a folder, which has no revisions: leave the revision out")
        source = re.sub(r"[^\w.@+ -]", "_", folder.resolve().name)[:MAX_SOURCE] or "folder"
    elif folder.exists() or model.startswith((".", "/", "~")) or model.count("/") > 1:
        raise CheckpointError(f"{model} is no folder: give the folder of a checkpoint, or a model's id on the hub")
    else:
        # The hub's client is a heavy import that folders do without.
        from export.checkpoints.hub import fetch

        folder, commit = fetch(model, revision, token, report)
        source = model[:MAX_SOURCE]
    config = read_config(folder, source)
    tokenizer = tokenizer_file(folder, work, config, source)
    tokens = max_length(folder, config, source)
    weights = weight_files((path.name for path in folder.iterdir()), folder.joinpath, source)
    for name in weights:
        check_file(folder / name, source)
    report("checking the weights")
    load_model(folder, config, weights, source)
    return Checkpoint(
        folder=folder,
        source=source,
        revision=commit or fingerprint(folder, weights),
        config=config,
        max_tokens=tokens,
        tokenizer=tokenizer,
        weights=weights,
        work=work,
    )
