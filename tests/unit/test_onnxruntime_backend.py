"""The backend's pure parts: merging and splitting, the ONNX header, execution providers. No server, no graph."""

# The backend's folder is on the module path only while these tests run.
# mypy: disable-error-code="import-not-found"

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BACKEND = Path(__file__).parents[2] / "services" / "triton" / "backends" / "onnxruntime"


@pytest.fixture(scope="module", autouse=True)
def module_path() -> Any:
    """As Triton's stub does it: the backend's folder is on the module path."""
    sys.path.append(str(BACKEND))
    yield
    sys.path.remove(str(BACKEND))


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
    from ort_options import providers

    assert providers({}, "CPU", "0", ["CUDAExecutionProvider"]) == [("CPUExecutionProvider", {})]


def test_gpu_instances_get_cuda_with_the_native_parameters() -> None:
    from ort_options import providers

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
    from ort_options import OptionError, providers

    with pytest.raises(OptionError, match="offers only CPUExecutionProvider: install onnxruntime-gpu"):
        providers({}, "GPU", "0", ["CPUExecutionProvider"])


@pytest.mark.parametrize(
    ("level", "expected"),
    [(0, "ORT_ENABLE_ALL"), (1, "ORT_ENABLE_EXTENDED"), (-1, "ORT_ENABLE_BASIC"), (2, "ORT_DISABLE_ALL")],
)
def test_graph_levels_are_tritons(level: int, expected: str) -> None:
    from ort_options import session_options

    options = session_options({"optimization": {"graph": {"level": level}}})
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
        )
    )
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (3, 2)
    assert options.execution_mode.name == "ORT_PARALLEL"
    assert (options.enable_cpu_mem_arena, options.enable_mem_pattern) == (False, False)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
