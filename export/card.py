"""The model card of an exported version: what it is, where it comes from, how to ask it."""

from pathlib import Path

from export.spec import FILES, TARGETS, ModelSpec

_WHAT = {
    "fp32": "single precision, attention fused; any processor or GPU",
    "fp16": "half precision inside, single precision outside, attention fused; for CUDA",
    "int8": "8-bit matrix products with a scale for each token and each channel; for processors",
    "trt": "half precision in standard operators; for TensorRT",
}
_NAMES = {"distilbert": "DistilBERT", "roberta": "RoBERTa"}


def card(spec: ModelSpec, folder: Path) -> str:
    """Markdown for `README.md` of a version folder whose weights are written."""
    files = "\n".join(
        f"| `{FILES[precision]}` | {(folder / FILES[precision]).stat().st_size / 1e6:.1f} MB | {_WHAT[precision]} |"
        for precision in spec.precisions
    )
    served = "\n".join(f"| `configs/{target}.pbtxt` | `{FILES[spec.precision_for(target)]}` |" for target in TARGETS)
    lengths = ", ".join(map(str, spec.lengths))
    answer = "softmax over the labels" if spec.activation == "softmax" else "a sigmoid for each label (multi-label)"
    return f"""\
# {spec.title}

A {_NAMES[spec.architecture]} sequence classifier, exported from `{spec.source}`,
revision `{spec.revision}`.
Licence, training data and limits are those of that checkpoint: read its own card before you rely on it.

| | |
|---|---|
| labels | {", ".join(spec.labels)} |
| output | `logits`; {answer}, in this order (`labels.txt`) |
| input | `input_ids` and `attention_mask`, up to {spec.max_tokens} tokens, padded right to {lengths} |
| tokenizer | `tokenizer.json`, sha256 `{spec.tokenizer_sha256}` |

| file | size | what it is |
|---|---|---|
{files}

| configuration | serves |
|---|---|
{served}

`report.md` tells how it was checked before it was published; `version.json` has the facts for programs.
"""
