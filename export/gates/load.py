"""Gate: a real Triton loads every file that it can here, and answers as ONNX Runtime does when called directly."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput

from export.cores import physical_cores
from export.evidence.encoding import TokenIds
from export.evidence.machine import has_gpu
from export.evidence.private_triton import environment_folder, place, private_triton
from export.evidence.scores import Logits
from export.gates.candidate import Candidate
from export.gates.findings import Finding, find, gate
from export.report import Gate
from export.spec import FILES, ModelSpec, Precision, Target, lengths_on_server
from export.triton_config import Serving, render, spec_of
from services.inference.batching import Batch, pad_right

NAME = "load"
# Of the largest logit, or of 1 where that is less. On the CPU it is the same library and the same batch, only the order
# of some sums may differ; a GPU computes the same file in half precision.
TOLERANCES: Mapping[Target, float] = {"cpu": 1e-5, "gpu": 1e-2, "gpu-ort": 1e-2}
# TensorRT's is left to NVIDIA's container.
GPU_TARGETS: tuple[Target, ...] = ("gpu", "gpu-ort")
ROWS = 2
REQUEST_TIMEOUT_S = 120.0


def check_load(candidate: Candidate, *, without_triton: bool) -> Gate:
    if without_triton:
        return Gate(NAME, None, "left out (--without-triton)")
    spec = candidate.spec
    batches = {length: candidate.rows(length, ROWS) for length in spec.lengths}
    findings = find(spec.precisions, partial(_check, candidate, target="cpu", batches=batches))
    reason = _why_no_gpu()
    for target in GPU_TARGETS if reason is None else ():
        findings += find([spec.precision_for(target)], partial(_check, candidate, target=target, batches=batches))
    remark = f". GPU: {reason or 'configs gpu and gpu-ort loaded'}; TensorRT: only NVIDIA's container has it"
    return gate(NAME, findings, also=remark, rows=ROWS * len(batches), gpu_not_checked=reason)


def _why_no_gpu() -> str | None:
    """None where a GPU configuration can be loaded."""
    if not has_gpu():
        return "configurations not loaded, no GPU here"
    if not any(environment_folder("gpu").glob("lib/python3.*/site-packages/onnxruntime_gpu-*")):
        return "configurations not loaded, Triton's environment here has ONNX Runtime for CPUs only"
    return None


def _check(
    candidate: Candidate, precision: Precision, *, target: Target, batches: Mapping[int, Sequence[TokenIds]]
) -> Finding:
    direct = candidate.open(precision)
    # Where our backend takes off the padding, it pads each text by itself.
    lengths = lengths_on_server(target, candidate.spec.lengths)
    expected = {
        length: direct.alone(rows, lengths) if lengths else direct.padded(rows, length)
        for length, rows in batches.items()
    }
    # Alone in its repository, under a name of its own, with this file as the only one that it could choose.
    spec = replace(candidate.spec, name=f"{candidate.spec.name}_{target}_{precision}", precisions=(precision,))
    cores = physical_cores()
    config = render(
        spec,
        target,
        weights_sha256=candidate.manifest.files[FILES[precision]].sha256,
        serving=Serving(threads=cores, tuned_cores=cores),
    )
    with tempfile.TemporaryDirectory(prefix="undertone-verify-") as folder:
        place(Path(folder), spec.name, candidate.folder, config, config_name=target)
        with private_triton(Path(folder), config_name=target) as triton, InferenceServerClient(triton.url) as client:
            return _compare(client, spec, target, batches, expected)


def _compare(
    client: InferenceServerClient,
    spec: ModelSpec,
    target: Target,
    batches: Mapping[int, Sequence[TokenIds]],
    expected: Mapping[int, Logits],
) -> Finding:
    precision = spec.precisions[0]
    if spec_of(client.get_model_config(spec.name).config) != spec:
        return Finding(precision, False, "Triton serves another specification than the file has")
    worst = 0.0
    for length, rows in batches.items():
        answer = client.infer(spec.name, inputs(rows, length), client_timeout=REQUEST_TIMEOUT_S)
        difference = np.abs(answer.as_numpy("logits") - expected[length]).max()
        worst = float(np.maximum(worst, difference / max(1.0, float(np.abs(expected[length]).max()))))
    figures = {"max_relative_difference": worst, "allowed": TOLERANCES[target], "target": target}
    # Triton takes the names from labels.txt.
    named = _label(client, spec, batches)
    right = next(iter(expected.values()))
    if named != spec.labels[int(right[0].argmax())]:
        return Finding(precision, False, f"Triton calls the likeliest label {named!r}", figures)
    allowed = TOLERANCES[target]
    text = f"loaded on the {target.upper()}, answers within {worst:.0e} of ONNX Runtime's (allowed {allowed:.0e})"
    return Finding(precision, bool(worst <= allowed), text, figures)


def _label(client: InferenceServerClient, spec: ModelSpec, batches: Mapping[int, Sequence[TokenIds]]) -> str:
    """What Triton calls the likeliest label of the first row."""
    length, rows = next(iter(batches.items()))
    wanted = [InferRequestedOutput("logits", class_count=1)]
    answer = client.infer(spec.name, inputs(rows[:1], length), outputs=wanted, client_timeout=REQUEST_TIMEOUT_S)
    # "score:number:label"
    described: bytes = answer.as_numpy("logits").flatten()[0]
    return described.decode().split(":", 2)[2]


def inputs(rows: Sequence[TokenIds], length: int) -> list[InferInput]:
    """A request of these rows, padded."""
    tensors = []
    arrays = pad_right(rows, Batch(tuple(range(len(rows))), length))
    for name, array in zip(("input_ids", "attention_mask"), arrays, strict=True):
        tensors.append(InferInput(name, array.shape, "INT64"))
        tensors[-1].set_data_from_numpy(array)
    return tensors
