"""Gate: the folder holds what its manifest says, and labels, tokenizer and configurations agree with the spec."""

from collections.abc import Iterator
from pathlib import Path

from tritonclient.grpc.model_config_pb2 import ModelConfig

from export.errors import ExportError
from export.gates.candidate import Candidate
from export.report import Gate
from export.spec import FILES, TARGETS, ModelSpec, Target
from export.triton_config import parse, spec_of, target_of
from export.version_folder import CONFIGS, LABELS, TOKENIZER, facts_of

NAME = "files"


def check_files(candidate: Candidate) -> Gate:
    """Everything that is wrong, not only the first."""
    problems = list(_problems(candidate))
    files = candidate.manifest.files
    size = sum(facts.bytes for facts in files.values())
    figures = {"files": len(files), "bytes": size, "problems": problems}
    if problems:
        return Gate(NAME, False, "; ".join(problems), figures)
    found = f"{len(files)} files, {size / 1e6:.1f} MB, each with the size and SHA-256 of the manifest"
    agree = f"labels, tokenizer and {len(TARGETS)} configurations agree with the spec"
    return Gate(NAME, True, f"{found}; {agree}", figures)


def _problems(candidate: Candidate) -> Iterator[str]:
    folder, spec = candidate.folder, candidate.spec
    expected = {LABELS, TOKENIZER, *(FILES[precision] for precision in spec.precisions)}
    for name in sorted(expected - set(candidate.manifest.files)):
        yield f"the manifest lacks {name}"
    for name, facts in candidate.manifest.files.items():
        try:
            found = facts_of(folder / name)
        except OSError as error:
            yield f"{name} cannot be read ({error.strerror})"
            continue
        if found.bytes != facts.bytes:
            yield f"{name} has {found.bytes:,} bytes, the manifest says {facts.bytes:,}"
        elif found.sha256 != facts.sha256:
            yield f"{name} has another SHA-256 than the manifest says"
    yield from _labels(folder / LABELS, spec)
    yield from _tokenizer(candidate)
    for target in TARGETS:
        yield from _config(candidate, target)


def _labels(path: Path, spec: ModelSpec) -> Iterator[str]:
    try:
        labels = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return  # said above
    if labels != list(spec.labels):
        yield f"{LABELS} says {', '.join(labels)}; the spec says {', '.join(spec.labels)}"


def _tokenizer(candidate: Candidate) -> Iterator[str]:
    named = candidate.manifest.files.get(TOKENIZER)
    if named is not None and named.sha256 != candidate.spec.tokenizer_sha256:
        yield f"the spec names another {TOKENIZER} than the manifest"
    try:
        candidate.encoder.encode(candidate.posts[:1])
    # `tokenizers` raises a bare Exception for every kind of bad file.
    except Exception as error:
        yield f"{TOKENIZER} cannot be used ({str(error).partition(chr(10))[0]})"


def _config(candidate: Candidate, target: Target) -> Iterator[str]:
    spec, path = candidate.spec, candidate.folder / CONFIGS / f"{target}.pbtxt"
    weights = candidate.manifest.files.get(FILES[spec.precision_for(target)])
    weights_sha256 = weights.sha256 if weights else ""
    name = f"{CONFIGS}/{path.name}"
    try:
        config = parse(path.read_text(encoding="utf-8"))
        described = spec_of(config)
    except (OSError, UnicodeDecodeError):
        yield f"{name} cannot be read"
        return
    except ExportError as error:
        yield f"{name}: {error}"
        return
    if described != spec:
        yield f"{name} describes another version than the manifest"
    if target_of(config) != target:
        yield f"{name} is not for {target}"
        return
    served = FILES[spec.precision_for(target)]
    if config.default_model_filename != served:
        yield f"{name} serves {config.default_model_filename or 'model.onnx'} instead of {served}"
    outputs = {output.name: list(output.dims) for output in config.output}
    if outputs != {"logits": [len(spec.labels)]}:
        yield f"{name} has outputs {outputs}; {len(spec.labels)} labels need one of that size, named logits"
    if list(config.version_policy.specific.versions) != [spec.version]:
        yield f"{name} does not serve exactly version {spec.version}"
    if target == "gpu-trt":
        yield from (f"{name} {problem}" for problem in _tensorrt(config, spec, weights_sha256))


def _tensorrt(config: ModelConfig, spec: ModelSpec, weights_sha256: str) -> Iterator[str]:
    """Without a profile of a length, its engines are rebuilt at run time; without a prefix, versions share them."""
    options = config.optimization.execution_accelerators.gpu_execution_accelerator[0].parameters
    for length in spec.lengths:
        for bound in ("min", "opt", "max"):
            shapes = options.get(f"trt_profile_{bound}_shapes", "").split(",")
            found = {shape.partition(":")[0] for shape in shapes if shape.endswith(f"x{length}")}
            if found != {"input_ids", "attention_mask"}:
                yield f"has no TensorRT profile for {length} tokens ({bound})"
    prefix = options.get("trt_engine_cache_prefix", "")
    if not prefix.endswith(f"_{spec.version}_{weights_sha256[:12]}"):
        yield "does not tell its engines from those of other versions"
