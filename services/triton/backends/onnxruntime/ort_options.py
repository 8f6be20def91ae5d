"""ONNX Runtime's session options out of a Triton model configuration: the keys of NVIDIA's native backend."""

# onnxruntime has no type hints.
# mypy: disable-error-code="import-not-found,import-untyped"

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import onnxruntime as ort

T = TypeVar("T")
Config = Mapping[str, Any]
Provider = tuple[str, dict[str, str]]

ARENA_SHRINKAGE = "memory.enable_memory_arena_shrinkage"
DEVICE_ALLOCATOR = "session.use_device_allocator_for_initializers"

# `optimization { graph { level } }`; any other level means the default, as in the native backend.
_GRAPH_LEVELS = {
    -1: ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    1: ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    2: ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
}
_CONV_SEARCHES = {0: "EXHAUSTIVE", 1: "HEURISTIC", 2: "DEFAULT"}
_ARENA_STRATEGIES = {0: "kNextPowerOfTwo", 1: "kSameAsRequested"}


class OptionError(Exception):
    """A parameter of the model configuration has a value that it cannot have."""


def session_options(config: Config) -> ort.SessionOptions:
    """Threads, graph optimisation and memory as the configuration says; OptionError names the bad parameter."""
    options = ort.SessionOptions()
    # Folds constants too: weights stored as int8 and dequantized by Cast and Mul are float before the first request.
    options.graph_optimization_level = _GRAPH_LEVELS.get(
        int(config.get("optimization", {}).get("graph", {}).get("level", 0)),
        ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
    )
    parallel = _parameter(config, "execution_mode", _integer, 0)
    if parallel not in (0, 1):
        raise OptionError(f"parameter execution_mode: 0 or 1 is expected, not {parallel}")
    options.execution_mode = ort.ExecutionMode.ORT_PARALLEL if parallel else ort.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads = max(0, _parameter(config, "intra_op_thread_count", _integer, 0))
    options.inter_op_num_threads = max(0, _parameter(config, "inter_op_thread_count", _integer, 0))
    options.enable_cpu_mem_arena = _parameter(config, "enable_mem_arena", _boolean, True)
    options.enable_mem_pattern = _parameter(config, "enable_mem_pattern", _boolean, True)
    # Read for the check alone: each instance is a process of its own, so there is nothing to share.
    _parameter(config, "share_session_between_instances", _boolean, False)
    if allocator := _parameter(config, DEVICE_ALLOCATOR, str, ""):
        options.add_session_config_entry(DEVICE_ALLOCATOR, allocator)
    # A spinning pool burns the cores that the other models and the services need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    return options


def run_options(config: Config) -> ort.RunOptions:
    """Options of every run: which memory arenas shrink after it."""
    options = ort.RunOptions()
    # A failed run is told to who asked; in the log of the server it would be noise that any client can make.
    options.log_severity_level = 4
    if arenas := _parameter(config, ARENA_SHRINKAGE, str, ""):
        options.add_run_config_entry(ARENA_SHRINKAGE, arenas)
    return options


def providers(config: Config, kind: str, device_id: str, available: Sequence[str]) -> list[Provider]:
    """Execution providers for an instance of that kind (CPU or GPU), the first one preferred."""
    accelerators = config.get("optimization", {}).get("execution_accelerators", {})
    cpu: Provider = ("CPUExecutionProvider", {})
    for accelerator in accelerators.get("cpu_execution_accelerator", []):
        raise OptionError(f"unknown Execution Accelerator '{accelerator['name']}' is requested for the CPU")
    if kind != "GPU":
        return [cpu]
    if "CUDAExecutionProvider" not in available:
        raise OptionError(
            "KIND_GPU needs ONNX Runtime's CUDA execution provider, but the installed onnxruntime offers only "
            f"{', '.join(available)}: install onnxruntime-gpu instead or use KIND_CPU"
        )
    cuda = _cuda_options(config)
    for accelerator in accelerators.get("gpu_execution_accelerator", []):
        if accelerator["name"] != "cuda":
            raise OptionError(f"unknown Execution Accelerator '{accelerator['name']}' is requested for the GPU")
        cuda |= accelerator.get("parameters", {})
    return [("CUDAExecutionProvider", cuda | {"device_id": device_id}), cpu]


def _cuda_options(config: Config) -> dict[str, str]:
    search = _parameter(config, "cudnn_conv_algo_search", _integer, 0)
    strategy = _parameter(config, "arena_extend_strategy", _integer, 0)
    if search not in _CONV_SEARCHES:
        raise OptionError(f"unsupported cudnn_conv_algo_search value '{search}' is requested")
    if strategy not in _ARENA_STRATEGIES:
        raise OptionError(f"unsupported arena_extend_strategy value '{strategy}' is requested")
    options = {"cudnn_conv_algo_search": _CONV_SEARCHES[search], "arena_extend_strategy": _ARENA_STRATEGIES[strategy]}
    for key in ("gpu_mem_limit", "do_copy_in_default_stream"):
        if value := _parameter(config, key, str, ""):
            options[key] = value
    return options


def _parameter(config: Config, name: str, parse: Callable[[str], T], default: T) -> T:
    entry = config.get("parameters", {}).get(name)
    if entry is None:
        return default
    try:
        return parse(entry["string_value"])
    except ValueError as error:
        raise OptionError(f"parameter {name}: {error}") from None


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"failed to convert '{text}' to integral number") from None


def _boolean(text: str) -> bool:
    values = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}
    if text.lower() not in values:
        raise ValueError(f"failed to convert '{text}' to boolean")
    return values[text.lower()]
