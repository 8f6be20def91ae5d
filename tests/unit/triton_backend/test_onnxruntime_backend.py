"""The backend's pure parts: merging and splitting, the ONNX header, execution providers. No server, no graph."""

# The backend's folder is on the module path only while these tests run.
# mypy: disable-error-code="import-not-found"

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format
from google.protobuf.json_format import MessageToDict
from tritonclient.grpc.model_config_pb2 import ModelConfig

from tests.conftest import ROOT

REPOSITORY = ROOT / "model_repository"


def contract(max_batch_size: int = 8) -> Any:
    from ort_contract import Contract, Tensor

    x, y = Tensor("x", "tensor(float)", (-1, -1)), Tensor("y", "tensor(float)", (-1, -1))
    return Contract(max_batch_size, {"x": x}, {"y": y}, {"y": (-1,)})


class Doubler:
    """A session that doubles, counts its runs and fails on 13."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, feeds: Any) -> Sequence[Any]:
        self.shapes.append(feeds["x"].shape)
        if (feeds["x"] == 13).any():
            raise RuntimeError("unlucky")
        return [feeds["x"] * 2]


def rows(*shapes: tuple[int, int]) -> list[dict[str, Any]]:
    return [{"x": np.full(shape, index + 1.0, dtype=np.float32)} for index, shape in enumerate(shapes)]


def test_requests_of_one_shape_run_once_whatever_lies_between_them() -> None:
    from ort_batches import run_all

    run, requests = Doubler(), rows((1, 4), (2, 7), (3, 4), (1, 7), (1, 1))
    outcomes = run_all(requests, contract(), run)
    assert sorted(run.shapes) == [(1, 1), (3, 7), (4, 4)]
    for request, outcome in zip(requests, outcomes, strict=True):
        np.testing.assert_array_equal(outcome["y"], request["x"] * 2)


def test_without_a_batch_dimension_nothing_merges() -> None:
    from ort_batches import run_all

    run = Doubler()
    run_all(rows((2, 4), (2, 4)), contract(max_batch_size=0), run)
    assert run.shapes == [(2, 4), (2, 4)]


def test_a_failing_merger_is_run_one_by_one() -> None:
    from ort_batches import run_all

    requests = rows((1, 4), (1, 4), (2, 4))
    requests[1]["x"][0, 2] = 13
    run = Doubler()
    outcomes = run_all(requests, contract(), run)
    assert run.shapes == [(4, 4), (1, 4), (1, 4), (2, 4)]
    assert isinstance(outcomes[1], RuntimeError)
    np.testing.assert_array_equal(outcomes[2]["y"], requests[2]["x"] * 2)


def test_an_output_without_the_batch_dimension_is_never_split_wrongly() -> None:
    from ort_batches import run_all

    outcomes = run_all(rows((1, 4), (1, 4)), contract(), lambda feeds: [feeds["x"][:1]])
    np.testing.assert_array_equal(outcomes[1]["y"], [[2, 2, 2, 2]])


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def message(*fields: tuple[int, int | bytes]) -> bytes:
    """Protobuf: varints and length-delimited fields."""
    out = b""
    for number, value in fields:
        out += varint(number << 3 | (0 if isinstance(value, int) else 2))
        out += varint(value) if isinstance(value, int) else varint(len(value)) + value
    return out


def onnx(ir_version: int, *opsets: tuple[bytes, int]) -> bytes:
    graph = (7, b"g" * 300)
    imports = [
        (8, message((1, domain), (2, version)) if domain else message((2, version))) for domain, version in opsets
    ]
    return message((1, ir_version), (2, b"producer"), graph, *imports)


@pytest.mark.parametrize(
    "content",
    [onnx(10, (b"", 21)), onnx(8, (b"", 18), (b"com.microsoft", 40)), onnx(9, (b"ai.onnx", 21), (b"ai.onnx.ml", 5))],
)
def test_supported_versions_pass(tmp_path: Path, content: bytes) -> None:
    from ort_file import check_format

    (tmp_path / "m.onnx").write_bytes(content)
    check_format(tmp_path / "m.onnx")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (onnx(11, (b"", 21)), "IR version 11, at most 10"),
        (onnx(10, (b"", 22)), "opset 22, at most 21"),
        (onnx(10, (b"com.microsoft", 1), (b"ai.onnx", 23)), "opset 23"),
        (onnx(10, (b"", 21))[:-1], "not an ONNX model: it is cut short"),
        (b"version https://git-lfs", "not an ONNX model"),
        (b"\xff" * 40, "not an ONNX model: a number is too long"),
        (message((1, b"text")), "not an ONNX model: a version is not a number"),
        (message((8, 5)), "not an ONNX model"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    from ort_file import ModelFileError, check_format

    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(ModelFileError, match=words):
        check_format(tmp_path / "m.onnx")


def parameters(**texts: str) -> dict[str, Any]:
    return {"parameters": {key: {"string_value": text} for key, text in texts.items()}}


def test_cpu_instances_run_on_the_cpu_even_where_cuda_is_offered() -> None:
    from ort_providers import providers

    assert providers({}, "CPU", "0", ["CUDAExecutionProvider"]) == [("CPUExecutionProvider", {})]


def test_gpu_instances_get_cuda_with_the_native_parameters() -> None:
    from ort_providers import providers

    config = parameters(gpu_mem_limit="1000", arena_extend_strategy="1", cudnn_conv_algo_search="2")
    config["optimization"] = {
        "execution_accelerators": {"gpu_execution_accelerator": [{"name": "cuda", "parameters": {"use_tf32": "0"}}]}
    }
    (name, options), fallback = providers(config, "GPU", "3", ["CUDAExecutionProvider", "CPUExecutionProvider"])
    assert (name, fallback[0]) == ("CUDAExecutionProvider", "CPUExecutionProvider")
    assert options == {
        "device_id": "3",
        "gpu_mem_limit": "1000",
        "arena_extend_strategy": "kSameAsRequested",
        "cudnn_conv_algo_search": "DEFAULT",
        "use_tf32": "0",
    }


def test_gpu_instances_without_cuda_are_told_what_to_install() -> None:
    from ort_options import OptionError
    from ort_providers import providers

    with pytest.raises(OptionError, match="offers only CPUExecutionProvider: install onnxruntime-gpu"):
        providers({}, "GPU", "0", ["CPUExecutionProvider"])


def with_tensorrt(**options: str) -> dict[str, Any]:
    """A configuration with the TensorRT accelerator."""
    accelerator = {"name": "tensorrt", "parameters": options}
    return {"optimization": {"execution_accelerators": {"gpu_execution_accelerator": [accelerator]}}}


ALL = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]


def test_tensorrt_comes_first_with_the_native_parameters() -> None:
    """By ONNX Runtime's names; truth values as its Python wants them."""
    from ort_providers import providers

    config = with_tensorrt(
        precision_mode="FP16",
        max_workspace_size_bytes="4294967296",
        trt_engine_cache_enable="true",
        trt_engine_cache_path="/tmp/engines",
        trt_timing_cache_enable="0",
        trt_builder_optimization_level="3",
        trt_profile_min_shapes="input_ids:1x16,attention_mask:1x16",
        int8_use_native_calibration_table="off",
        trt_tactic_sources="",
    )
    tensorrt, cuda, cpu = providers(config, "GPU", "1", ALL)
    assert (cuda[0], cuda[1]["device_id"], cpu[0]) == ("CUDAExecutionProvider", "1", "CPUExecutionProvider")
    assert tensorrt == (
        "TensorrtExecutionProvider",
        {
            "device_id": "1",
            "trt_fp16_enable": "True",
            "trt_max_workspace_size": "4294967296",
            "trt_engine_cache_enable": "True",
            "trt_engine_cache_path": "/tmp/engines",
            "trt_timing_cache_enable": "False",
            "trt_builder_optimization_level": "3",
            "trt_profile_min_shapes": "input_ids:1x16,attention_mask:1x16",
            "trt_int8_use_native_calibration_table": "False",
        },
    )


@pytest.mark.parametrize(("mode", "options"), [("FP32", {}), ("INT8", {"trt_int8_enable": "True"})])
def test_precisions_of_tensorrt(mode: str, options: dict[str, str]) -> None:
    from ort_providers import providers

    assert providers(with_tensorrt(precision_mode=mode), "GPU", "0", ALL)[0][1] == options | {"device_id": "0"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"precision_mode": "FP8"}, "unsupported precision mode 'FP8' is requested"),
        ({"segment_size": "3"}, "unknown parameter 'segment_size' is provided for TensorRT"),
        ({"trt_fp16_enable": "1"}, "unknown parameter 'trt_fp16_enable' is provided for TensorRT"),
        ({"max_workspace_size_bytes": "abc"}, "max_workspace_size_bytes of .* failed to convert 'abc'"),
        ({"max_workspace_size_bytes": "-1"}, "failed to convert '-1' to unsigned"),
        ({"trt_engine_cache_enable": "maybe"}, "trt_engine_cache_enable of .* failed to convert 'maybe' to boolean"),
        ({"trt_min_subgraph_size": "1.5"}, "failed to convert '1.5' to integral"),
    ],
)
def test_wrong_options_of_tensorrt_are_refused(options: dict[str, str], words: str) -> None:
    from ort_options import OptionError
    from ort_providers import providers

    with pytest.raises(OptionError, match=words):
        providers(with_tensorrt(**options), "GPU", "0", ALL)


def test_tensorrt_that_is_not_there_is_told() -> None:
    from ort_options import OptionError
    from ort_providers import check_in_use, providers

    with pytest.raises(OptionError, match=r"needs ONNX Runtime's TensorRT .* offers only CUDA.* leave the accelerator"):
        providers(with_tensorrt(), "GPU", "0", ALL[1:])
    assert providers(with_tensorrt(), "CPU", "0", ALL[2:]) == [("CPUExecutionProvider", {})]
    wanted = providers(with_tensorrt(), "GPU", "0", ALL)
    check_in_use(wanted, ALL)
    with pytest.raises(OptionError, match="cannot start its TensorrtExecutionProvider: the libraries"):
        check_in_use(wanted, ALL[1:])


def test_the_projects_tensorrt_configurations_are_accepted() -> None:
    from ort_providers import providers

    files = sorted(REPOSITORY.glob("*/*/configs/gpu-trt.pbtxt"))
    assert files
    for file in files:
        config = MessageToDict(text_format.Parse(file.read_text(), ModelConfig()), preserving_proto_field_name=True)
        tensorrt, _, _ = providers(config, "GPU", "0", ALL)
        assert tensorrt[1]["trt_fp16_enable"] == "True"


@pytest.mark.parametrize(
    ("level", "expected"),
    [(0, "ORT_ENABLE_ALL"), (1, "ORT_ENABLE_EXTENDED"), (-1, "ORT_ENABLE_BASIC"), (2, "ORT_DISABLE_ALL")],
)
def test_graph_levels_are_tritons(level: int, expected: str) -> None:
    from ort_options import session_options

    options = session_options({"optimization": {"graph": {"level": level}}}, "CPU", {})
    assert options.graph_optimization_level.name == expected


def test_session_options_are_read_from_the_parameters() -> None:
    from ort_options import session_options

    options = session_options(
        parameters(
            intra_op_thread_count="3",
            inter_op_thread_count="2",
            execution_mode="1",
            enable_mem_arena="0",
            enable_mem_pattern="false",
            labels="a,b",
        ),
        "CPU",
        {},
    )
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (3, 2)
    assert options.execution_mode.name == "ORT_PARALLEL"
    assert (options.enable_cpu_mem_arena, options.enable_mem_pattern) == (False, False)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


@pytest.mark.parametrize(
    ("kind", "tuned", "environment", "threads"),
    [
        ("CPU", None, {}, 3),
        ("CPU", None, {"UNDERTONE_INTRA_OP_THREADS": "5"}, 5),
        ("CPU", "8", {"UNDERTONE_INTRA_OP_THREADS": "5"}, 3),
        ("GPU", None, {"UNDERTONE_INTRA_OP_THREADS": "5"}, 3),
    ],
)
def test_the_machines_thread_count_is_taken_unless_the_models_was_tuned(
    kind: str, tuned: str | None, environment: dict[str, str], threads: int
) -> None:
    from ort_options import session_options

    config = parameters(intra_op_thread_count="3", **({"tuned_cores": tuned} if tuned else {}))
    assert session_options(config, kind, environment).intra_op_num_threads == threads


def test_a_wrong_thread_count_is_refused_even_where_it_is_not_used() -> None:
    from ort_options import OptionError, session_options

    with pytest.raises(OptionError, match="intra_op_thread_count: failed to convert 'two'"):
        session_options(parameters(intra_op_thread_count="two"), "CPU", {"UNDERTONE_INTRA_OP_THREADS": "5"})
    with pytest.raises(OptionError, match="variable UNDERTONE_INTRA_OP_THREADS: failed to convert 'many'"):
        session_options({}, "CPU", {"UNDERTONE_INTRA_OP_THREADS": "many"})


def test_a_model_that_was_tuned_elsewhere_is_told() -> None:
    from ort_options import tuned_elsewhere

    config = {"name": "sentiment"} | parameters(tuned_cores="16")
    assert tuned_elsewhere(config, {"UNDERTONE_CORES": "2"}) == (
        "sentiment was tuned on 16 cores, this machine has 2: run `python -m export tune sentiment` again"
    )
    assert tuned_elsewhere(config, {"UNDERTONE_CORES": "16"}) is None
    assert tuned_elsewhere(config, {}) is None
    assert tuned_elsewhere({"name": "sentiment"}, {"UNDERTONE_CORES": "2"}) is None
