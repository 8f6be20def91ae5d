"""Gate: a text has the same probabilities alone, among any others, and padded to any length.

Users compare posts with each other, so what stood beside a post in its batch must not show. Quantization with one scale
for the whole batch fails here.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from export.evidence.encoding import TokenIds, bucket_of
from export.evidence.onnx_direct import Direct
from export.evidence.sample_posts import many
from export.evidence.scores import Logits, probabilities
from export.gates.candidate import Candidate
from export.gates.findings import Finding, find, gate
from export.report import Gate
from export.spec import Precision

NAME = "batch independence"
LIMIT = 1e-3
TEXTS = 32
TOKENS = 64
# Sizes of the batches that each text is tried in.
BATCHES = (2, 8, TEXTS)


def check_independence(candidate: Candidate) -> Gate:
    spec = candidate.spec
    longest = min(TOKENS, spec.max_tokens)
    texts = many(candidate.posts, 4 * TEXTS)
    # Every fourth: posts, their sentences, and pairs of them.
    rows = candidate.encoder.encode(texts[::4], longest)

    def check(precision: Precision) -> Finding:
        direct = candidate.open(precision)
        alone = probabilities(direct.alone(rows), spec.activation)
        moved: dict[str, float] = {}
        for what, indices, logits in _elsewhere(direct, rows, spec.lengths):
            found = float(np.abs(probabilities(logits, spec.activation) - alone[indices]).max())
            moved[what] = float(np.maximum(moved.get(what, 0.0), found))
        worst = float(np.array(list(moved.values())).max())
        where = max(moved, key=lambda what: moved[what] if np.isfinite(moved[what]) else np.inf)
        text = f"probabilities move by {worst:.1e} at most (allowed {LIMIT:g}), {where}"
        return Finding(precision, bool(worst <= LIMIT), text, {"max_difference": worst, "differences": moved})

    return gate(NAME, find(spec.precisions, check), also=f". {len(rows)} texts", texts=len(rows), allowed=LIMIT)


def _elsewhere(
    direct: Direct, rows: Sequence[TokenIds], lengths: Sequence[int]
) -> Iterator[tuple[str, list[int], Logits]]:
    """(in which company, which texts, their logits there)."""
    # Mixed, so that short ones stand beside long ones, and always the same.
    order = np.random.default_rng(0).permutation(len(rows)).tolist()
    for size in BATCHES:
        for start in range(0, len(rows), size):
            indices = order[start : start + size]
            batch = [rows[index] for index in indices]
            length = bucket_of(max(map(len, batch)), lengths)
            yield f"in batches of {size}", indices, direct.padded(batch, length)
    for length in lengths:
        # Few of the long ones, which take a large model seconds.
        indices = [i for i, row in enumerate(rows) if len(row) <= length][: max(1, 512 // length)]
        yield f"padded to {length} tokens", indices, _each(direct, [rows[i] for i in indices], length)


def _each(direct: Direct, rows: Sequence[TokenIds], length: int) -> Logits:
    return np.concatenate([direct.padded([row], length) for row in rows])
