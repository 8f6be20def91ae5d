"""Every configuration in model_repository/ by the rules that NVIDIA's Triton applies; its container cannot run here."""

import re
from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig, ModelInstanceGroup, ModelQueuePolicy

from export.repository import Repository
from export.spec import TARGETS
from export.triton_config import parse, render, serving_of, spec_of, target_of
from export.version_folder import check_files, sha256_served

REPOSITORY = Path(__file__).parents[2] / "model_repository"
CONFIGS = sorted([*REPOSITORY.glob("*/config.pbtxt"), *REPOSITORY.glob("*/[0-9]*/configs/*.pbtxt")])
INTEGERS = ("intra_op_thread_count", "inter_op_thread_count", "execution_mode", "max_tokens")


def name_of(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


@pytest.fixture(params=CONFIGS, ids=name_of)
def path(request: pytest.FixtureRequest) -> Path:
    value: Path = request.param
    return value


@pytest.fixture
def config(path: Path) -> ModelConfig:
    """Parsing fails on an unknown field, as the server does."""
    return text_format.Parse(path.read_text(), ModelConfig())


def folder(path: Path) -> Path:
    """The model's."""
    return REPOSITORY / path.relative_to(REPOSITORY).parts[0]


def values(config: ModelConfig) -> dict[str, str]:
    return {key: parameter.string_value for key, parameter in config.parameters.items()}


def lengths(config: ModelConfig) -> list[int]:
    return [int(length) for length in values(config)["sequence_lengths"].split(",")]


def padded_lengths(config: ModelConfig) -> list[int]:
    """What is computed: on a CPU, where the server pads, in finer steps than clients pad to."""
    told = values(config).get("padded_lengths")
    return [int(length) for length in told.split(",")] if told else lengths(config)


def test_both_models_have_a_configuration_for_every_kind_of_machine() -> None:
    names = {name_of(path) for path in CONFIGS}
    for model in ("sentiment", "emotion"):
        assert {f"{model}/config.pbtxt", *(f"{model}/1/configs/{target}.pbtxt" for target in TARGETS)} <= names


def test_it_stands_alone(path: Path, config: ModelConfig) -> None:
    """A named configuration replaces the default one: name, backend and tensors must be in each."""
    assert config.name == folder(path).name
    assert config.backend == "onnxruntime"
    assert config.max_batch_size > 0
    assert {entry.name for entry in config.input} == {"input_ids", "attention_mask"}
    for entry in config.input:
        assert (entry.data_type, list(entry.dims)) == (DataType.TYPE_INT64, [-1])
        assert not entry.allow_ragged_batch
        assert not entry.optional
    (output,) = config.output
    assert (output.name, output.data_type) == ("logits", DataType.TYPE_FP32)
    assert list(output.dims) == [len(values(config)["labels"].split(","))]
    assert output.label_filename == f"{values(config)['version']}/labels.txt"
    assert list(config.version_policy.specific.versions) == [int(values(config)["version"])]


def test_instances_are_written_out(config: ModelConfig) -> None:
    """Triton would start two on the CPU; a GPU group would be refused where the name promises a CPU."""
    (group,) = config.instance_group
    assert group.count == 1
    assert group.kind in (ModelInstanceGroup.KIND_CPU, ModelInstanceGroup.KIND_GPU)


def test_the_default_and_cpu_run_without_a_gpu(path: Path, config: ModelConfig) -> None:
    if path.name in ("config.pbtxt", "cpu.pbtxt"):
        assert [group.kind for group in config.instance_group] == [ModelInstanceGroup.KIND_CPU]
        assert not config.optimization.execution_accelerators.gpu_execution_accelerator


def test_parameters_have_values_that_the_native_backend_reads(config: ModelConfig) -> None:
    found = values(config)
    for key in INTEGERS:
        assert found.get(key, "0").isdecimal(), key
    assert found.get("execution_mode", "0") in ("0", "1")
    for key in ("enable_mem_arena", "enable_mem_pattern"):
        assert found.get(key, "1") in ("0", "1"), key


def test_parameters_tell_clients_of_the_model(config: ModelConfig) -> None:
    found = values(config)
    assert found["activation"] in ("softmax", "sigmoid")
    assert found["architecture"] in ("distilbert", "roberta")
    assert re.fullmatch(r"[0-9a-f]{64}", found["tokenizer_sha256"])
    assert found["source"]
    assert found["revision"]
    assert lengths(config) == sorted(set(lengths(config)))
    assert lengths(config)[-1] == int(found["max_tokens"])


def test_labels_are_those_of_the_label_file(path: Path, config: ModelConfig) -> None:
    labels = folder(path) / values(config)["version"] / "labels.txt"
    assert labels.read_text().split() == values(config)["labels"].split(",")


def test_the_version_in_service_is_whole_and_says_of_itself_what_its_files_are(path: Path, config: ModelConfig) -> None:
    manifest = check_files(folder(path) / values(config)["version"])
    assert spec_of(config) == manifest.spec
    assert Repository(REPOSITORY).in_service(manifest.spec.name) == manifest.spec.version


def test_a_configuration_is_what_the_exporter_generates_today(path: Path, config: ModelConfig) -> None:
    """A hand has not been in it, and a change of the generator is delivered."""
    manifest = check_files(folder(path) / values(config)["version"])
    target = target_of(config)
    text = render(manifest.spec, target, weights_sha256=sha256_served(manifest, target), serving=serving_of(config))
    assert config == parse(text)


def test_requests_merge_and_nobody_waits_for_a_batch(config: ModelConfig) -> None:
    assert config.HasField("dynamic_batching")
    assert config.dynamic_batching.max_queue_delay_microseconds == 0
    assert not config.dynamic_batching.preferred_batch_size, "only TensorRT profiles gain by it"


def test_no_queue_policy_makes_the_batcher_sleep_beside_an_idle_instance(config: ModelConfig) -> None:
    """Any field of it does, in Triton before July 2026 (server issue 8870)."""
    assert config.dynamic_batching.default_queue_policy == ModelQueuePolicy()
    assert not config.dynamic_batching.priority_levels


def test_every_length_is_warmed_up_alone_and_in_a_batch(config: ModelConfig) -> None:
    warmed: dict[int, set[int]] = {}
    for sample in config.model_warmup:
        assert set(sample.inputs) == {"input_ids", "attention_mask"}
        assert {entry.data_type for entry in sample.inputs.values()} == {DataType.TYPE_INT64}
        (dims,) = {tuple(entry.dims) for entry in sample.inputs.values()}
        assert all(entry.zero_data for entry in sample.inputs.values()), "random ids may lie outside the vocabulary"
        assert 1 <= sample.batch_size <= config.max_batch_size
        warmed.setdefault(dims[0], set()).add(sample.batch_size)
    assert sorted(warmed) == padded_lengths(config)
    for length, batches in warmed.items():
        assert 1 in batches, length
        assert length not in lengths(config) or max(batches) > 1, length


def test_warm_ups_have_names_of_their_own(config: ModelConfig) -> None:
    names = [sample.name for sample in config.model_warmup]
    assert len(set(names)) == len(names)


def test_variants_serve_the_same_tensors_and_parameters(path: Path, config: ModelConfig) -> None:
    """A client may not notice which variant it talks to."""
    default = text_format.Parse((folder(path) / "config.pbtxt").read_text(), ModelConfig())
    assert list(config.input) == list(default.input)
    assert list(config.output) == list(default.output)
    told = (
        "architecture",
        "labels",
        "activation",
        "max_tokens",
        "sequence_lengths",
        "tokenizer_sha256",
        "source",
        "revision",
    )
    assert {key: values(config)[key] for key in told} == {key: values(default)[key] for key in told}
