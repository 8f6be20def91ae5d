"""ONNX Runtime's execution providers out of a Triton model configuration: the keys of NVIDIA's native backend."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from ort_options import Config, OptionError, boolean, integer, parameter

Provider = tuple[str, dict[str, str]]

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
_CONV_SEARCHES = {0: "EXHAUSTIVE", 1: "HEURISTIC", 2: "DEFAULT"}
_ARENA_STRATEGIES = {0: "kNextPowerOfTwo", 1: "kSameAsRequested"}
_PRECISIONS = {"FP32": {}, "FP16": {"trt_fp16_enable": "True"}, "INT8": {"trt_int8_enable": "True"}}
# Where the native backend's name differs from ONNX Runtime's.
_RENAMED = {
    "max_workspace_size_bytes": "trt_max_workspace_size",
    "int8_calibration_table_name": "trt_int8_calibration_table_name",
    "int8_use_native_calibration_table": "trt_int8_use_native_calibration_table",
}


def _text(value: str) -> str:
    return value


def _number(value: str) -> str:
    return str(integer(value))


def _size(value: str) -> str:
    if integer(value) < 0:
        raise ValueError(f"failed to convert '{value}' to unsigned integral number")
    return _number(value)


def _flag(value: str) -> str:
    """As ONNX Runtime's Python wants it: with `1` it would leave the provider out, silently."""
    return str(boolean(value))


_TENSORRT_KEYS: dict[str, Callable[[str], str]] = {
    **dict.fromkeys(("max_workspace_size_bytes",), _size),
    **dict.fromkeys(
        (
            "trt_auxiliary_streams",
            "trt_builder_optimization_level",
            "trt_dla_core",
            "trt_ep_context_embed_mode",
            "trt_max_partition_iterations",
            "trt_min_subgraph_size",
        ),
        _number,
    ),
    **dict.fromkeys(
        (
            "int8_use_native_calibration_table",
            "trt_build_heuristics_enable",
            "trt_context_memory_sharing_enable",
            "trt_cuda_graph_enable",
            "trt_detailed_build_log",
            "trt_dla_enable",
            "trt_dump_ep_context_model",
            "trt_dump_subgraphs",
            "trt_engine_cache_enable",
            "trt_force_sequential_engine_build",
            "trt_force_timing_cache",
            "trt_layer_norm_fp32_fallback",
            "trt_sparsity_enable",
            "trt_timing_cache_enable",
        ),
        _flag,
    ),
    **dict.fromkeys(
        (
            "int8_calibration_table_name",
            "trt_engine_cache_path",
            "trt_engine_cache_prefix",
            "trt_ep_context_file_path",
            "trt_extra_plugin_lib_paths",
            "trt_profile_max_shapes",
            "trt_profile_min_shapes",
            "trt_profile_opt_shapes",
            "trt_tactic_sources",
            "trt_timing_cache_path",
        ),
        _text,
    ),
}


def providers(config: Config, kind: str, device_id: str, available: Sequence[str]) -> list[Provider]:
    """Execution providers for an instance of that kind (CPU or GPU), the first one preferred.

    OptionError where the configuration asks for one that is unknown or not among those `available`, or for an option
    that the native backend refuses too.
    """
    accelerators = config.get("optimization", {}).get("execution_accelerators", {})
    for accelerator in accelerators.get("cpu_execution_accelerator", []):
        raise OptionError(f"unknown Execution Accelerator '{accelerator['name']}' is requested for the CPU")
    if kind != "GPU":
        return [(CPU, {})]
    _require(CUDA, "KIND_GPU needs ONNX Runtime's CUDA", "or use KIND_CPU", available)
    cuda, tensorrt = _cuda_options(config), list[Provider]()
    for accelerator in accelerators.get("gpu_execution_accelerator", []):
        options = accelerator.get("parameters", {})
        if accelerator["name"] == "cuda":
            cuda |= options
        elif accelerator["name"] == "tensorrt":
            needed = "the Execution Accelerator 'tensorrt' needs ONNX Runtime's TensorRT"
            _require(TENSORRT, needed, "with TensorRT's libraries, or leave the accelerator out", available)
            tensorrt.append((TENSORRT, _tensorrt_options(options) | {"device_id": device_id}))
        else:
            raise OptionError(f"unknown Execution Accelerator '{accelerator['name']}' is requested for the GPU")
    return [*tensorrt, (CUDA, cuda | {"device_id": device_id}), (CPU, {})]


def check_in_use(wanted: Iterable[Provider], used: Sequence[str]) -> None:
    """OptionError where a session came to be without a provider: ONNX Runtime only logs that it cannot have it."""
    missing = [name for name, _ in wanted if name not in used]
    if missing:
        raise OptionError(
            f"ONNX Runtime cannot start its {' and '.join(missing)}: the libraries that it needs are missing or of "
            "another version; the lines before this one say which"
        )


def _require(provider: str, needed: str, otherwise: str, available: Sequence[str]) -> None:
    if provider not in available:
        raise OptionError(
            f"{needed} execution provider, but the installed onnxruntime offers only {', '.join(available)}: install "
            f"onnxruntime-gpu instead {otherwise}"
        )


def _cuda_options(config: Config) -> dict[str, str]:
    search = parameter(config, "cudnn_conv_algo_search", integer, 0)
    strategy = parameter(config, "arena_extend_strategy", integer, 0)
    if search not in _CONV_SEARCHES:
        raise OptionError(f"unsupported cudnn_conv_algo_search value '{search}' is requested")
    if strategy not in _ARENA_STRATEGIES:
        raise OptionError(f"unsupported arena_extend_strategy value '{strategy}' is requested")
    options = {"cudnn_conv_algo_search": _CONV_SEARCHES[search], "arena_extend_strategy": _ARENA_STRATEGIES[strategy]}
    for key in ("gpu_mem_limit", "do_copy_in_default_stream"):
        if value := parameter(config, key, str, ""):
            options[key] = value
    return options


def _tensorrt_options(given: Mapping[str, str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for key, value in given.items():
        if key == "precision_mode":
            if value not in _PRECISIONS:
                raise OptionError(f"unsupported precision mode '{value}' is requested")
            options |= _PRECISIONS[value]
        elif key not in _TENSORRT_KEYS:
            raise OptionError(f"unknown parameter '{key}' is provided for TensorRT Execution Accelerator")
        else:
            try:
                options[_RENAMED.get(key, key)] = _TENSORRT_KEYS[key](value)
            except ValueError as error:
                raise OptionError(f"parameter {key} of TensorRT Execution Accelerator: {error}") from None
    # The native backend passes over an option without a value.
    return {key: value for key, value in options.items() if value}
