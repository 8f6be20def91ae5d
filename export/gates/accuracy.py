"""Gate: on labelled texts, no file is worse than PyTorch, nor than the version in service, by more than a little."""

from collections.abc import Mapping, Sequence

from export.evidence.labelled import Example
from export.evidence.scores import Scores, scores
from export.gates.candidate import Candidate, Reference
from export.gates.findings import Finding, find, gate
from export.report import Gate
from export.spec import Precision

NAME = "accuracy"
# Points: 0.9 - 0.89 is a little more than 0.01 to a computer.
ROUNDING = 1e-6
# Percentage points below PyTorch. In single precision only rounding may tip a text that stands on the edge.
MAX_LOSS_TO_PYTORCH: Mapping[Precision, float] = {"fp32": 0.2, "fp16": 1.0, "int8": 1.0, "trt": 1.0}


def check_accuracy(
    candidate: Candidate,
    examples: Sequence[Example],
    reference: Reference | None,
    in_service: Candidate | None,
    max_loss: float,
) -> Gate:
    """`max_loss`: percentage points below the version in service."""
    if not examples:
        return Gate(NAME, None, "no labelled texts were given (--data FILE)")
    spec = candidate.spec
    texts = [example.text for example in examples]
    rows = candidate.encoder.encode(texts)
    against: dict[str, tuple[Scores, Mapping[Precision, float]]] = {}
    if reference is not None:
        found = scores(reference.logits(rows), examples, spec.activation)
        against["PyTorch"] = found, MAX_LOSS_TO_PYTORCH
    remark = ""
    if in_service is not None and sorted(in_service.spec.labels) == sorted(spec.labels):
        against["in service"] = _in_service(in_service, examples, spec.labels), dict.fromkeys(spec.precisions, max_loss)
    elif in_service is not None:
        remark = ". The version in service has other labels"

    def check(precision: Precision) -> Finding:
        found = scores(candidate.open(precision).batched(rows), examples, spec.activation)
        losses = {name: 100 * (other.accuracy - found.accuracy) for name, (other, _) in against.items()}
        too_bad = [name for name, (_, allowed) in against.items() if losses[name] > allowed[precision] + ROUNDING]
        text = _text(found) + "".join(f", {losses[name]:.1f} points below {name}" for name in too_bad)
        return Finding(precision, not too_bad, text, _figures(found) | {"points_below": losses})

    findings = find(spec.precisions, check)
    compared = "".join(f"; {name}: {_text(other)}" for name, (other, _) in against.items())
    return gate(
        NAME,
        findings,
        also=f"{compared}. {len(examples)} texts{remark}",
        texts=len(examples),
        compared_with={name: _figures(other) for name, (other, _) in against.items()},
    )


def _in_service(version: Candidate, examples: Sequence[Example], labels: Sequence[str]) -> Scores:
    """The accuracy of what it serves on the CPU, with its own tokenizer and its own order of the labels."""
    own = {label: number for number, label in enumerate(version.spec.labels)}
    translated = [Example(e.text, tuple(own[labels[number]] for number in e.labels)) for e in examples]
    rows = version.encoder.encode([example.text for example in examples])
    logits = version.open(version.spec.precision_for("cpu")).batched(rows)
    return scores(logits, translated, version.spec.activation)


def _text(found: Scores) -> str:
    return f"{found.accuracy:.1%} right, macro-F1 {found.macro_f1:.3f}"


def _figures(found: Scores) -> dict[str, float]:
    return {"accuracy": found.accuracy, "macro_f1": found.macro_f1}
