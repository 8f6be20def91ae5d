"""Gate: every weights file answers as PyTorch does, on right-padded text of every length.

PyTorch sees each text alone and without padding, so padding that leaks into an answer counts as a difference too.
"""

from collections.abc import Mapping

import numpy as np

from export.evidence.sample_posts import many
from export.evidence.scores import Logits, agreement, same_top
from export.gates.candidate import QUANTIZED, Candidate, Reference
from export.gates.findings import Finding, find, gate
from export.report import Gate
from export.spec import Activation, Precision

NAME = "parity"
# Largest difference of a logit. Rounding grows with the logits: above `USUAL_LOGIT`, which heads trained with a softmax
# seldom leave, the limit grows with them.
TOLERANCES: Mapping[Precision, float] = {"fp32": 1e-4, "fp16": 1e-2, "trt": 1e-2}
USUAL_LOGIT = 10.0
MIN_AGREEMENT = 0.99
# How much less likely than PyTorch's first label another one may be and count as the same.
TIES: Mapping[Activation, float] = {"softmax": 0.0, "sigmoid": 0.02}
# Short texts: many where labels are counted (one in a hundred has to show), few where logits are compared.
QUANTIZED_TEXTS = 400
TEXTS = 120
# What they are cut to, so that a large model is not busy for minutes.
SHORT_TOKENS = 64


def check_parity(candidate: Candidate, reference: Reference | None) -> Gate:
    if reference is None:
        return Gate(NAME, None, "no checkpoint was given to compare with")
    spec = candidate.spec
    buckets = {length: candidate.rows(length, rows_of(length)) for length in spec.lengths}
    texts = many(candidate.posts, QUANTIZED_TEXTS if set(QUANTIZED) & set(spec.precisions) else TEXTS)
    short = candidate.encoder.encode(texts, min(SHORT_TOKENS, spec.max_tokens))
    expected = {length: reference.logits(rows) for length, rows in buckets.items()}
    expected_short = reference.logits(short)

    def check(precision: Precision) -> Finding:
        direct = candidate.open(precision)
        found = {length: direct.padded(rows, length) for length, rows in buckets.items()}
        count = len(short) if precision in QUANTIZED else min(TEXTS, len(short))
        found_short, right_short = direct.batched(short[:count]), expected_short[:count]
        shapes = {logits.shape[1] for logits in (*expected.values(), found_short)}
        if shapes != {len(spec.labels)}:
            return Finding(precision, False, f"{found_short.shape[1]} logits a row, but {len(spec.labels)} labels")
        tops = same_top(found_short, right_short, spec.activation, TIES[spec.activation])
        same, of = agreement(found_short, right_short, spec.activation)
        differences = {length: _difference(found[length], expected[length]) for length in buckets}
        worst = _nan_is_worst([*differences.values(), _difference(found_short, right_short)])
        figures = {
            "max_difference": worst,
            "max_difference_by_length": {str(length): value for length, value in differences.items()},
            "same_top_label": tops,
            "texts": count,
            "same_decisions": same,
            "decisions": of,
        }
        labels = f"{tops} of {count} likeliest labels the same"
        if spec.activation == "sigmoid":
            labels += f" (or within {TIES['sigmoid']:g}), {same} of {of} decisions at one half"
        if precision in QUANTIZED:
            passed = tops >= MIN_AGREEMENT * count and same >= MIN_AGREEMENT * of and np.isfinite(worst)
            text = f"{labels} (at least {MIN_AGREEMENT:.0%}), logits within {worst:.1e}"
        else:
            largest = max(float(np.abs(logits).max()) for logits in (*expected.values(), right_short))
            allowed = TOLERANCES[precision] * max(1.0, largest / USUAL_LOGIT)
            figures |= {"allowed": allowed, "largest_logit": largest}
            passed = worst <= allowed
            text = f"logits within {worst:.1e} of PyTorch's (allowed {allowed:.1e}), {labels}"
        return Finding(precision, bool(passed), text, figures)

    rows = sum(map(len, buckets.values())) + len(short)
    return gate(NAME, find(spec.precisions, check), also=f". {rows} texts of 4 to {spec.max_tokens} tokens", rows=rows)


def rows_of(length: int) -> int:
    """How many texts of a length are compared: few of the long ones, which take a large model seconds."""
    return 8 if length <= 128 else 4 if length <= 256 else 3


def _difference(found: Logits, expected: Logits) -> float:
    return float(np.abs(found - expected).max())


def _nan_is_worst(values: list[float]) -> float:
    """The largest; not a number where one is not."""
    return float(np.array(values).max())
