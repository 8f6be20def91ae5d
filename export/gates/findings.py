"""A gate looks at each weights file of a version; what it finds is put together here."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from export.errors import ExportError
from export.evidence.onnx_direct import NeedsGpu
from export.report import Gate
from export.spec import Precision

# Errors of ONNX Runtime and Triton name a file with its folders, which are nobody else's business.
_FOLDERS = re.compile(r"(?<![\w/.])/(?:[^\s/'\":,]+/)+")


@dataclass(frozen=True)
class Finding:
    """Of one precision. `passed` None: not checked, and `text` says why."""

    precision: Precision
    passed: bool | None
    text: str
    figures: Mapping[str, Any] = field(default_factory=dict)


def find(precisions: Sequence[Precision], check: Callable[[Precision], Finding]) -> list[Finding]:
    """The check of each precision. What it raises is a failure of that file, not of the whole verification."""
    findings = []
    for precision in precisions:
        try:
            findings.append(check(precision))
        except NeedsGpu as error:
            findings.append(Finding(precision, None, f"not checked, it needs a GPU: {error}"))
        except ExportError:
            raise
        except Exception as error:
            findings.append(Finding(precision, False, plain(error)))
    return findings


def gate(name: str, findings: Sequence[Finding], also: str = "", **figures: Any) -> Gate:
    """Failed where one failed, not checked where none was; `also` stands at the end of the summary."""
    verdicts = {finding.passed for finding in findings}
    passed = False if False in verdicts else True if True in verdicts else None
    parts = [f"{finding.precision}: {finding.text}" for finding in findings]
    by_precision = {
        finding.precision: {"passed": finding.passed, **finding.figures, "summary": finding.text}
        for finding in findings
    }
    return Gate(name, passed, "; ".join(parts) + also, {"precisions": by_precision, **figures})


def plain(error: BaseException) -> str:
    """What an exception says, in one line and without folders of this machine."""
    lines = str(error).strip().splitlines()
    return _FOLDERS.sub("", lines[0].strip())[:300].rstrip(".") if lines else type(error).__name__
