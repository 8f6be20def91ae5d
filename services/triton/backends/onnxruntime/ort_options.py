"""ONNX Runtime's session options out of a Triton model configuration: the keys of NVIDIA's native backend."""

# onnxruntime has no type hints.
# mypy: disable-error-code="import-not-found,import-untyped"

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import onnxruntime as ort

T = TypeVar("T")
Config = Mapping[str, Any]

# Threads of an instance on the CPU, for this machine; whoever starts the server sets it.
THREADS = "UNDERTONE_INTRA_OP_THREADS"
# Physical cores of this machine, likewise.
CORES = "UNDERTONE_CORES"

ARENA_SHRINKAGE = "memory.enable_memory_arena_shrinkage"
DEVICE_ALLOCATOR = "session.use_device_allocator_for_initializers"

# `optimization { graph { level } }`; any other level means the default, as in the native backend.
_GRAPH_LEVELS = {
    -1: ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    1: ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    2: ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
}


class OptionError(Exception):
    """A parameter of the model configuration has a value that it cannot have."""


def session_options(config: Config, kind: str, environment: Mapping[str, str]) -> ort.SessionOptions:
    """Threads, graph optimisation and memory as the configuration says; OptionError names the bad parameter.

    On the CPU (`kind`) the environment's thread count is taken for the configuration's, unless that was tuned.
    """
    options = ort.SessionOptions()
    # Folds constants too: weights stored as int8 and dequantized by Cast and Mul are float before the first request.
    options.graph_optimization_level = _GRAPH_LEVELS.get(
        int(config.get("optimization", {}).get("graph", {}).get("level", 0)),
        ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
    )
    parallel = parameter(config, "execution_mode", integer, 0)
    if parallel not in (0, 1):
        raise OptionError(f"parameter execution_mode: 0 or 1 is expected, not {parallel}")
    options.execution_mode = ort.ExecutionMode.ORT_PARALLEL if parallel else ort.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads = intra_op_threads(config, kind, environment)
    options.inter_op_num_threads = max(0, parameter(config, "inter_op_thread_count", integer, 0))
    options.enable_cpu_mem_arena = parameter(config, "enable_mem_arena", boolean, True)
    options.enable_mem_pattern = parameter(config, "enable_mem_pattern", boolean, True)
    # Read for the check alone: each instance is a process of its own, so there is nothing to share.
    parameter(config, "share_session_between_instances", boolean, False)
    if allocator := parameter(config, DEVICE_ALLOCATOR, str, ""):
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
    if arenas := parameter(config, ARENA_SHRINKAGE, str, ""):
        options.add_run_config_entry(ARENA_SHRINKAGE, arenas)
    return options


def tuned_elsewhere(config: Config, environment: Mapping[str, str]) -> str | None:
    """A sentence for the log where the thread count was tuned on a machine with another number of cores."""
    tuned, cores = _tuned_cores(config), _number(environment, CORES)
    if not tuned or not cores or tuned == cores:
        return None
    name = config["name"]
    return f"{name} was tuned on {tuned} cores, this machine has {cores}: run `python -m export tune {name}` again"


def intra_op_threads(config: Config, kind: str, environment: Mapping[str, str]) -> int:
    """Threads of an instance; 0: as many as the runtime likes."""
    configured = max(0, parameter(config, "intra_op_thread_count", integer, 0))
    own = _number(environment, THREADS) if kind == "CPU" and not _tuned_cores(config) else 0
    return own or configured


def shares_of_cores(config: Config, environment: Mapping[str, str]) -> int:
    """So many instances compute at once without more threads than cores. 1 where a model was tuned: its threads were
    chosen to stand beside those of the others."""
    threads, cores = _number(environment, THREADS), _number(environment, CORES)
    return max(1, cores // threads) if threads and cores and not _tuned_cores(config) else 1


def switched_on(environment: Mapping[str, str], name: str) -> bool:
    """Whether the variable is `auto` (as it is where nobody set it) and not `off`; OptionError for anything else."""
    value = environment.get(name, "") or "auto"
    if value not in ("auto", "off"):
        raise OptionError(f"environment variable {name}: {value!r} is neither auto nor off")
    return value == "auto"


def _tuned_cores(config: Config) -> int:
    """Physical cores of the machine that the thread count was tuned on; 0: it was not."""
    return parameter(config, "tuned_cores", integer, 0)


def _number(environment: Mapping[str, str], name: str) -> int:
    """0 where the variable is not set."""
    try:
        return integer(environment.get(name, "0"))
    except ValueError as error:
        raise OptionError(f"environment variable {name}: {error}") from None


def parameter(config: Config, name: str, parse: Callable[[str], T], default: T) -> T:
    """The configuration's parameter of that name; OptionError where `parse` raises ValueError."""
    entry = config.get("parameters", {}).get(name)
    if entry is None:
        return default
    try:
        return parse(entry["string_value"])
    except ValueError as error:
        raise OptionError(f"parameter {name}: {error}") from None


def integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"failed to convert '{text}' to integral number") from None


def boolean(text: str) -> bool:
    values = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}
    if text.lower() not in values:
        raise ValueError(f"failed to convert '{text}' to boolean")
    return values[text.lower()]
