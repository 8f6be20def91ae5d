"""The gate before publication: a version that is damaged, answers wrongly, is worse or is slower does not appear."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from export.errors import ExportError
from export.evidence.labelled import Example, read_labelled, sample
from export.evidence.machine import environment
from export.evidence.private_triton import require_environment
from export.evidence.sample_posts import read_posts
from export.gates import accuracy, files, independence, load, parity, speed
from export.gates.candidate import Candidate, Reference
from export.gates.findings import plain
from export.gates.speed import SpeedOptions
from export.report import Gate, Report

if TYPE_CHECKING:
    from export.checkpoint import Checkpoint


@dataclass(frozen=True)
class VerifyOptions:
    """`labelled`, `texts`: files of the user's (their formats: export.evidence.labelled and sample_posts).

    `max_accuracy_loss`: percentage points below the version in service. `labelled_rows`: used at most.
    """

    labelled: Path | None = None
    texts: Path | None = None
    max_accuracy_loss: float = 1.0
    labelled_rows: int = 2_000
    without_triton: bool = False
    speed: SpeedOptions = field(default_factory=SpeedOptions)


def verify(
    folder: Path,
    *,
    checkpoint: "Checkpoint | None",
    in_service: Path | None,
    options: VerifyOptions,
    progress: Callable[[str], None],
) -> Report:
    """The report on the version in `folder`; nothing is written. `progress` is told each gate as it begins.

    `checkpoint`: what the version was made from; None: nothing is compared with PyTorch. `in_service`: the folder of
    the version that serves now. ExportError where a file of the user's is not as it must be or Triton is missing; what
    is wrong with the version itself is a gate that failed.
    """
    reference = None
    if checkpoint is not None:
        from export.evidence.torch_reference import TorchReference

        reference = TorchReference(checkpoint)
    return verify_against(folder, reference=reference, in_service=in_service, options=options, progress=progress)


def check_options(options: VerifyOptions, labels: Sequence[str]) -> list[Example]:
    """The labelled posts, none where none are given; ExportError where something that the user named is not usable.

    To be called before minutes of work, for a model with these labels.
    """
    read_posts(options.texts)
    if not options.without_triton:
        require_environment()
    if options.labelled is None:
        return []
    return sample(read_labelled(options.labelled, labels), options.labelled_rows)


def verify_against(
    folder: Path,
    *,
    reference: Reference | None,
    in_service: Path | None,
    options: VerifyOptions,
    progress: Callable[[str], None],
) -> Report:
    """The same with anything that gives the right logits."""
    candidate = Candidate.read(folder, read_posts(options.texts))
    spec = candidate.spec
    examples = check_options(options, spec.labels)
    other = _in_service(in_service, candidate)
    skip = options.without_triton
    gates: list[tuple[str, str, Callable[[], Gate]]] = [
        (files.NAME, "checking the files", lambda: files.check_files(candidate)),
        (parity.NAME, "comparing with PyTorch", lambda: parity.check_parity(candidate, reference)),
        (independence.NAME, "trying other batches", lambda: independence.check_independence(candidate)),
        (
            accuracy.NAME,
            "measuring accuracy",
            lambda: accuracy.check_accuracy(candidate, examples, reference, other, options.max_accuracy_loss),
        ),
        (load.NAME, "loading it into Triton", lambda: load.check_load(candidate, without_triton=skip)),
        (
            speed.NAME,
            "measuring speed in Triton",
            lambda: speed.check_speed(candidate, other, options.speed, without_triton=skip),
        ),
    ]
    found = []
    for name, phase, check in gates:
        progress(phase)
        found.append(_guarded(name, check))
    return Report(
        model=spec.name,
        version=spec.version,
        source=spec.source,
        revision=spec.revision,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        environment=environment(),
        gates=tuple(found),
    )


def _in_service(folder: Path | None, candidate: Candidate) -> Candidate | None:
    """None where there is none, it is the candidate itself, or it is too damaged to compare anything with."""
    if folder is None or folder.resolve() == candidate.folder.resolve():
        return None
    try:
        return Candidate.read(folder, candidate.posts)
    except ExportError:
        return None


def _guarded(name: str, check: Callable[[], Gate]) -> Gate:
    """What a check trips over is a failure of the version; the sentence is all that a user gets to see."""
    try:
        return check()
    except ExportError:
        raise
    except Exception as error:
        return Gate(name, False, plain(error))
