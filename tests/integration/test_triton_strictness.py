"""What NVIDIA's native ONNX Runtime backend refuses, ours refuses too, and says why. One server, one model a rule."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from onnx import helper
from tritonclient.grpc import InferenceServerClient

from services.local.child import NeverReady
from tests.integration import triton_models as models
from tests.integration.triton_models import IDS, MASK, config, parameter, tensor
from tests.integration.triton_server import child_of, running_triton, started, wait_ready
from tests.ports import free_ports

CLASSIFIER = models.model(models.classifier())


@dataclass(frozen=True)
class Bad:
    """A model that must be refused, and words of the reason."""

    reason: str
    config: str
    content: bytes = CLASSIFIER


def _extra(text: str) -> str:
    return config("NAME", extra=text)


def _accelerator(name: str, value: str) -> str:
    return f"optimization {{ execution_accelerators {{ {name}_execution_accelerator: [ {{ name: '{value}' }} ] }} }}"


def _with_sequence() -> bytes:
    """A graph with an output that is no tensor."""
    graph = models.classifier()
    graph.node.append(helper.make_node("SequenceConstruct", ["logits"], ["list"]))
    graph.output.append(helper.make_tensor_sequence_value_info("list", 1, None))
    return models.model(graph)


CASES = {
    "threads_in_words": Bad(
        "intra_op_thread_count: failed to convert 'two'", _extra(parameter("intra_op_thread_count", "two"))
    ),
    "threads_in_parts": Bad(
        "inter_op_thread_count: failed to convert '1.5'", _extra(parameter("inter_op_thread_count", "1.5"))
    ),
    "execution_mode": Bad("execution_mode: 0 or 1 is expected", _extra(parameter("execution_mode", "2"))),
    "memory_arena": Bad("enable_mem_arena: failed to convert 'maybe'", _extra(parameter("enable_mem_arena", "maybe"))),
    "memory_pattern": Bad("enable_mem_pattern: failed to convert ''", _extra(parameter("enable_mem_pattern", ""))),
    "input_type": Bad(
        "expects datatype TYPE_INT32 for input 'input_ids'", config("NAME", [tensor("input_ids", "INT32", "-1"), MASK])
    ),
    "output_type": Bad(
        "expects datatype TYPE_FP16 for output 'logits'", config("NAME", outputs=[tensor("logits", "FP16", "3")])
    ),
    "unknown_type": Bad("unsupported datatype TYPE_BF16", config("NAME", outputs=[tensor("logits", "BF16", "3")])),
    "output_dims": Bad(
        "model's shape is [-1,3] but the configuration specifies [-1,4]",
        config("NAME", outputs=[tensor("logits", "FP32", "4")]),
    ),
    "open_output": Bad("configuration specifies [-1,-1]", config("NAME", outputs=[tensor("logits", "FP32", "-1")])),
    "input_rank": Bad(
        "configuration specifies [-1,-1,2]", config("NAME", [tensor("input_ids", "INT64", "-1, 2"), MASK])
    ),
    "open_graph": Bad(
        "model's shape is [-1,-1] but the configuration specifies [-1,3]",
        config("NAME", [tensor("in_FP32", "FP32", "-1")], [tensor("out_FP32", "FP32", "3")]),
        models.model(models.identities(["batch", "columns"], {"FP32": models.TYPES["FP32"]})),
    ),
    "missing_input": Bad("configuration expects 1 inputs, model provides 2", config("NAME", [IDS])),
    "extra_input": Bad(
        "configuration expects 3 inputs, model provides 2", config("NAME", [IDS, MASK, tensor("types", "INT64", "-1")])
    ),
    "input_name": Bad(
        "unexpected inference input 'ids', allowed inputs are: attention_mask, input_ids",
        config("NAME", [tensor("ids", "INT64", "-1"), MASK]),
    ),
    "output_name": Bad(
        "unexpected inference output 'scores', allowed outputs are: logits",
        config("NAME", outputs=[tensor("scores", "FP32", "3")]),
    ),
    "ragged": Bad(
        "allow_ragged_batch", config("NAME", [tensor("input_ids", "INT64", "-1", "allow_ragged_batch: true"), MASK])
    ),
    "optional": Bad(
        "inputs, model provides 2", config("NAME", [tensor("input_ids", "INT64", "-1", "optional: true"), MASK])
    ),
    "absent_file": Bad("unable to find", _extra('default_model_filename: "other.onnx"')),
    "newer_ir": Bad("IR version 11", config("NAME"), models.model(models.classifier(), ir_version=11)),
    "newer_opset": Bad("opset 22", config("NAME"), models.model(models.classifier(), opset=22)),
    "no_onnx": Bad("is not an ONNX model", config("NAME"), b"version https://example.org/large-file"),
    "fixed_batch": Bad("first dimension must be -1", config("NAME"), models.model(models.classifier(batch=8))),
    "no_tensor": Bad("unsupported ONNX type", config("NAME"), _with_sequence()),
    "accelerator": Bad("unknown Execution Accelerator 'magic'", _extra(_accelerator("cpu", "magic"))),
    "gpu": Bad("GPU", config("NAME", kind="KIND_GPU")),
    "decoupled": Bad("decoupled", _extra("model_transaction_policy { decoupled: true }")),
    "custom_operators": Bad("model_operations", _extra('model_operations { op_library_filename: "/lib/x.so" }')),
}


@pytest.fixture(scope="module")
def reasons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Model name -> why it is not served; empty for one that is."""
    repository = tmp_path_factory.mktemp("bad_models")
    for name, bad in CASES.items():
        models.write(repository, name, bad.config.replace("NAME", name), bad.content)
    models.write(repository, "good", config("good", extra=parameter("anything", "else")), CLASSIFIER)
    work = tmp_path_factory.mktemp("triton")
    with running_triton(work, repository, answering=["good"]) as running:
        with InferenceServerClient(f"127.0.0.1:{running.grpc_port}") as client:
            index = client.get_model_repository_index().models
        yield {model.name: "" if model.state == "READY" else model.reason for model in index}


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_and_says_why(reasons: dict[str, str], name: str) -> None:
    assert CASES[name].reason in reasons[name]


def test_parameters_of_ours_are_no_reason(reasons: dict[str, str]) -> None:
    assert reasons["good"] == ""


def test_a_model_that_fails_its_warm_up_is_never_served(tmp_path: Path) -> None:
    """Alone, because this server (2.51) does not only refuse the model: now and then it crashes on it."""
    random_ids = """
        model_warmup {
          name: "outside the vocabulary" batch_size: 1
          inputs { key: "input_ids" value { data_type: TYPE_INT64 dims: [ 16 ] random_data: true } }
          inputs { key: "attention_mask" value { data_type: TYPE_INT64 dims: [ 16 ] zero_data: true } }
        }
    """
    models.write(tmp_path / "repository", "cold", config("cold", extra=random_ids), CLASSIFIER)
    child = child_of(tmp_path / "work", tmp_path / "repository", free_ports(2))
    with started(child, until_ready=False) as process:
        try:
            wait_ready(child, process, tmp_path / "work" / "triton.log")
        except NeverReady as refusal:
            assert "failed to run warmup sample 'outside the vocabulary'" in str(refusal)
        except AssertionError:
            assert process.poll() is not None
        else:
            pytest.fail("it is served")
