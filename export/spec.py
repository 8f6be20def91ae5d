"""What a version of a model is: the typed data that configurations, manifest and card are generated from."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Architecture = Literal["distilbert", "roberta"]
Activation = Literal["softmax", "sigmoid"]
# `trt` is fp16 in standard operators alone: TensorRT knows none of ONNX Runtime's fused ones.
Precision = Literal["fp32", "fp16", "int8", "trt"]
Target = Literal["cpu", "gpu", "gpu-ort", "gpu-trt"]

PRECISIONS: tuple[Precision, ...] = get_args(Precision)
TARGETS: tuple[Target, ...] = get_args(Target)
FILES: Mapping[Precision, str] = {
    "fp32": "model.onnx",
    "fp16": "model.fp16.onnx",
    "int8": "model.int8.onnx",
    "trt": "model.trt.onnx",
}
# What each configuration serves: the first of these that the version has.
PREFERRED: Mapping[Target, tuple[Precision, ...]] = {
    "cpu": ("int8", "fp32", "fp16", "trt"),
    "gpu": ("fp16", "fp32", "trt", "int8"),
    "gpu-ort": ("fp16", "fp32", "trt", "int8"),
    "gpu-trt": ("trt", "fp32", "fp16", "int8"),
}
# Sequence lengths that clients pad to, in tokens: few, so that Triton finds requests of equal shape to merge.
BUCKETS = (16, 32, 64, 128, 256, 512)
# On a CPU, in tokens.
SHORTEST, MIN_STEP = 8, 4
# On a GPU, in tokens. Its matrix units multiply half precision in pieces of 8; and every length is one more shape, for
# which each layer's kernels are chosen, and one more graph.
GPU_STEP, GPU_FINE_UP_TO, GPU_COARSE_STEP = 8, 64, 16


class SpecError(ValueError):
    """A manifest is not one of ours; the message says what is wrong with it."""


@dataclass(frozen=True)
class ModelSpec:
    """One version of a model. `name` is Triton's; `lengths` are ascending, in tokens, the last being `max_tokens`."""

    name: str
    version: int
    source: str
    revision: str
    architecture: Architecture
    labels: tuple[str, ...]
    activation: Activation
    max_tokens: int
    lengths: tuple[int, ...]
    tokenizer_sha256: str
    precisions: tuple[Precision, ...]

    def precision_for(self, target: Target) -> Precision:
        """The precision that the configuration of `target` serves."""
        return next(precision for precision in PREFERRED[target] if precision in self.precisions)

    @property
    def title(self) -> str:
        return f"{self.name} version {self.version}"


@dataclass(frozen=True)
class FileFacts:
    """Size and SHA-256 of a file, to tell a whole version from a damaged one."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """`version.json`: the version, its files, and when and with what it was made (UTC; package versions)."""

    spec: ModelSpec
    files: Mapping[str, FileFacts]
    created_at: str
    made_with: Mapping[str, str]

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Manifest":
        """SpecError says what is missing or wrong."""
        try:
            data: dict[str, Any] = json.loads(text)
            values: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value for name, value in data["spec"].items()
            }
            spec = ModelSpec(**values)
            check_spec(spec)
            files = {name: FileFacts(**facts) for name, facts in data["files"].items()}
            for name, facts in files.items():
                _check_types({f"bytes of {name}": facts.bytes}, int)
                _check_types({f"sha256 of {name}": facts.sha256}, str)
            return cls(spec, files, str(data["created_at"]), dict(data["made_with"]))
        except SpecError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise SpecError(f"it is no manifest of a version ({type(error).__name__}: {error})") from None


def check_spec(spec: ModelSpec) -> None:
    """SpecError where a value is not possible."""
    _check_types({name: getattr(spec, name) for name in ("name", "source", "revision", "tokenizer_sha256")}, str)
    _check_types({name: getattr(spec, name) for name in ("version", "max_tokens")}, int)
    _check_types({name: getattr(spec, name) for name in ("labels", "lengths", "precisions")}, tuple)
    _check_types({f"label {number}": label for number, label in enumerate(spec.labels)}, str)
    _check_types({f"precision {number}": precision for number, precision in enumerate(spec.precisions)}, str)
    _check_types({f"length {number}": length for number, length in enumerate(spec.lengths)}, int)
    if spec.architecture not in get_args(Architecture):
        raise SpecError(f"architecture {spec.architecture!r} is unknown")
    if spec.activation not in get_args(Activation):
        raise SpecError(f"activation {spec.activation!r} is unknown")
    if not spec.precisions or not set(spec.precisions) <= set(PRECISIONS):
        raise SpecError(f"precisions {spec.precisions} are not among {', '.join(PRECISIONS)}")
    if len(spec.labels) < 2:
        raise SpecError(f"{len(spec.labels)} labels are no choice")
    if not spec.lengths or list(spec.lengths) != sorted(set(spec.lengths)) or spec.lengths[-1] != spec.max_tokens:
        raise SpecError(f"lengths {spec.lengths} do not ascend to max_tokens {spec.max_tokens}")
    if spec.version < 1:
        raise SpecError(f"version {spec.version} is no positive number")


def _check_types(values: Mapping[str, object], kind: type) -> None:
    for name, value in values.items():
        # `true` is a number to Python.
        if not isinstance(value, kind) or isinstance(value, bool):
            raise SpecError(f"{name} is {value!r:.60}, no {kind.__name__}")
        if isinstance(value, str):
            value.encode()  # half a pair of surrogates, which JSON can spell, is a ValueError


def lengths_up_to(max_tokens: int) -> tuple[int, ...]:
    """The buckets below `max_tokens`, and `max_tokens` itself."""
    return (*(length for length in BUCKETS if length < max_tokens), max_tokens)


def lengths_on_cpu(lengths: tuple[int, ...]) -> tuple[int, ...]:
    """What the server pads rows to where a CPU computes: steps of 4 up to 64 tokens, above of an eighth at most.

    A processor is as fast on a few rows as on many, so there little is gained by equal shapes and much by less padding:
    real posts (22 tokens in the mean) are padded to 24 on average instead of 32.
    """
    steps = []
    length = SHORTEST
    while length < lengths[-1]:
        steps.append(length)
        length += max(MIN_STEP, 2 ** (length.bit_length() - 1) // 8)
    return tuple(sorted({*steps, *lengths}))


def lengths_on_gpu(lengths: tuple[int, ...]) -> tuple[int, ...]:
    """What our backend pads rows to on a GPU: steps of 8 up to 64 tokens, of 16 up to 128, then of an eighth.

    Coarser than on a CPU, because there are far more rows to share a length, and a run of few rows leaves a GPU idle.
    """
    steps = []
    length = GPU_STEP
    while length < lengths[-1]:
        steps.append(length)
        length += GPU_STEP if length < GPU_FINE_UP_TO else max(GPU_COARSE_STEP, 2 ** (length.bit_length() - 1) // 8)
    return tuple(sorted({*steps, *lengths}))


def lengths_on_server(target: Target, lengths: tuple[int, ...]) -> tuple[int, ...]:
    """What the server pads each row to by itself; empty where it computes requests as they come."""
    return {"cpu": lengths_on_cpu, "gpu-ort": lengths_on_gpu}.get(target, lambda _: ())(lengths)
