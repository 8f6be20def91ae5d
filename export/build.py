"""From a checkpoint to a published version: export, describe, verify, publish. A failing gate publishes nothing."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from export.card import card
from export.checkpoint import Checkpoint, load_checkpoint
from export.errors import ExportError
from export.files import write_text
from export.progress import Progress
from export.repository import Repository
from export.spec import FILES, ModelSpec, Precision, lengths_up_to
from export.to_onnx import export_variant
from export.verify import VerifyOptions, check_options, verify
from export.version_folder import CARD, TOKENIZER, facts_of, write_version


@dataclass(frozen=True)
class Order:
    """What to export: `model` is a hub id or a folder; `version` None takes the next number."""

    name: str
    model: str
    revision: str | None
    version: int | None
    precisions: Sequence[Precision]


def build(repository: Repository, order: Order, options: VerifyOptions, progress: Progress) -> int:
    """The number of the version that was published. ExportError, and an untouched repository, where it cannot be."""
    progress.phase(f"reading the checkpoint {order.model}")
    with (
        repository.new_version(order.name, order.version) as folder,
        # Beside the unfinished version: what a killed export leaves, the next one removes.
        load_checkpoint(order.model, order.revision, work_in=folder.parents[1], report=progress) as checkpoint,
    ):
        check_options(options, checkpoint.labels)
        for precision in order.precisions:
            progress.phase(f"exporting {precision}")
            export_variant(checkpoint, precision, folder / FILES[precision], progress)
        spec = describe(checkpoint, order, folder)
        in_service = repository.in_service(order.name)
        report = verify(
            folder,
            checkpoint=checkpoint,
            in_service=None if in_service is None else repository.version_folder(order.name, in_service),
            options=options,
            progress=progress.phase,
        )
        report.write(folder)
        if not report.passed:
            raise ExportError(f"{spec.title} is not published:\n{report.failures()}")
    return spec.version


def describe(checkpoint: Checkpoint, order: Order, folder: Path) -> ModelSpec:
    """Tokenizer, labels, configurations, card and manifest beside the weights in `folder`."""
    shutil.copyfile(checkpoint.tokenizer, folder / TOKENIZER)
    spec = ModelSpec(
        name=order.name,
        version=int(folder.name),
        source=checkpoint.source,
        revision=checkpoint.revision,
        architecture=checkpoint.architecture,
        labels=checkpoint.labels,
        activation=checkpoint.activation,
        max_tokens=checkpoint.max_tokens,
        lengths=lengths_up_to(checkpoint.max_tokens),
        tokenizer_sha256=facts_of(folder / TOKENIZER).sha256,
        precisions=tuple(order.precisions),
    )
    write_text(folder / CARD, card(spec, folder))
    write_version(folder, spec)
    return spec
