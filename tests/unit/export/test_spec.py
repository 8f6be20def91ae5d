"""The typed data of a version survives its way through every file that is generated from it."""

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc.model_config_pb2 import ModelInstanceGroup

from export.errors import ExportError
from export.spec import (
    FILES,
    PRECISIONS,
    PREFERRED,
    TARGETS,
    FileFacts,
    Manifest,
    ModelSpec,
    SpecError,
    Target,
    lengths_on_cpu,
    lengths_on_gpu,
    lengths_on_server,
    lengths_up_to,
)
from export.triton_config import Canary, Serving, parse, render, serving_of, spec_of, target_of
from services.common.triton_config import TritonConfig
from tests.hostile import deep
from tests.unit.export.versions import spec

WORDS = st.text("abcdefghijklmnopqrstuvwxyz_ ", min_size=1, max_size=12).map(str.strip).filter(bool)
SHA256 = "ab" * 32


@st.composite
def specs(draw: st.DrawFn) -> ModelSpec:
    max_tokens = draw(st.integers(16, 512))
    return spec(
        name=draw(st.sampled_from(["sentiment", "emotion", "toxicity-2"])),
        version=draw(st.integers(1, 999)),
        source=draw(st.sampled_from(["acme/model", "my-folder"])),
        revision=draw(st.text("0123456789abcdef", min_size=1, max_size=40)),
        architecture=draw(st.sampled_from(["distilbert", "roberta"])),
        labels=tuple(draw(st.lists(WORDS, min_size=2, max_size=30, unique=True))),
        activation=draw(st.sampled_from(["softmax", "sigmoid"])),
        max_tokens=max_tokens,
        lengths=lengths_up_to(max_tokens),
        tokenizer_sha256=draw(st.text("0123456789abcdef", min_size=64, max_size=64)),
        precisions=tuple(draw(st.lists(st.sampled_from(PRECISIONS), min_size=1, unique=True))),
    )


@given(specs(), st.sampled_from(TARGETS), st.integers(1, 64), st.integers(1, 8), st.integers(0, 10_000))
def test_a_configuration_gives_back_what_it_was_generated_from(
    made: ModelSpec, target: Target, threads: int, instances: int, delay: int
) -> None:
    serving = Serving(threads, instances, delay, tuned_cores=4)
    config = parse(render(made, target, weights_sha256=SHA256, serving=serving))
    assert spec_of(config) == made
    assert target_of(config) == target
    # Threads are a matter of processors.
    found = serving_of(config)
    assert (found.instances, found.queue_delay_us) == (instances, delay)
    assert (found.threads, found.tuned_cores) == ((threads, 4) if target == "cpu" else (0, None))


@given(specs())
def test_a_manifest_gives_back_what_it_was_written_from(made: ModelSpec) -> None:
    manifest = Manifest(made, {"model.onnx": FileFacts(3, SHA256)}, "2026-01-31T12:00:00+00:00", {"torch": "2.13.0"})
    assert Manifest.from_json(manifest.to_json()) == manifest


@pytest.mark.parametrize(
    "change",
    [
        {"architecture": "bert"},
        {"activation": "tanh"},
        {"precisions": []},
        {"precisions": ["fp8"]},
        {"labels": ["only"]},
        {"lengths": [64, 32, 128]},
        {"lengths": [16, 32]},
        {"version": 0},
        {"version": "1"},
        {"version": True},
        {"version": 1e400},
        {"max_tokens": float("nan")},
        {"lengths": [16, "many"]},
        {"lengths": 128},
        {"labels": 3},
        {"labels": ["good", 1]},
        {"labels": ["good", ["bad"]]},
        {"labels": ["good", "\ud800"]},
        {"precisions": [["fp32"]]},
        {"precisions": "fp32"},
        {"name": None},
        {"source": {"a": 1}},
        {"colour": "red"},
    ],
)
def test_a_manifest_with_an_impossible_value_is_refused(change: dict[str, object]) -> None:
    data = json.loads(Manifest(spec(), {}, "", {}).to_json())
    data["spec"] |= change
    with pytest.raises(SpecError):
        Manifest.from_json(json.dumps(data))


@pytest.mark.parametrize("facts", [{"bytes": "3", "sha256": SHA256}, {"bytes": 3, "sha256": 4}, {"bytes": 3}, 7])
def test_a_manifest_with_impossible_facts_of_a_file_is_refused(facts: object) -> None:
    data = json.loads(Manifest(spec(), {}, "", {}).to_json())
    with pytest.raises(SpecError):
        Manifest.from_json(json.dumps(data | {"files": {"model.onnx": facts}}))


NO_MANIFESTS = ["", "[]", "{}", '{"spec": 1}', '{"spec": {}, "files": {}}', "\x00", deep(100_000).decode()]


@pytest.mark.parametrize("text", NO_MANIFESTS, ids=range(len(NO_MANIFESTS)))
def test_what_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(SpecError):
        Manifest.from_json(text)


def test_each_target_serves_the_best_that_there_is() -> None:
    for target in TARGETS:
        assert spec(precisions=PRECISIONS).precision_for(target) == PREFERRED[target][0]
        for precision in PRECISIONS:
            assert spec(precisions=(precision,)).precision_for(target) == precision


def test_lengths_reach_the_longest_input() -> None:
    assert lengths_up_to(512) == (16, 32, 64, 128, 256, 512)
    assert lengths_up_to(500) == (16, 32, 64, 128, 256, 500)
    assert lengths_up_to(8) == (8,)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_configuration_names_the_file_that_it_serves(precision: str) -> None:
    made = spec(precisions=(precision,))
    for target in TARGETS:
        config = parse(render(made, target, weights_sha256=SHA256))
        assert config.default_model_filename == FILES[precision]  # type: ignore[index] # a str


def test_the_gpu_configuration_writes_out_all_four_options_of_cuda() -> None:
    """A parameters block takes the defaults of the native backend away."""
    for target in ("gpu", "gpu-ort", "gpu-trt"):
        values = parse(render(spec(), target, weights_sha256=SHA256)).parameters
        for key in ("gpu_mem_limit", "arena_extend_strategy", "cudnn_conv_algo_search", "do_copy_in_default_stream"):
            assert values[key].string_value.isdecimal(), key


def test_tensorrt_has_a_profile_for_each_length_and_a_cache_for_each_file() -> None:
    def options(sha256: str) -> dict[str, str]:
        config = parse(render(spec(), "gpu-trt", weights_sha256=sha256))
        (accelerator,) = config.optimization.execution_accelerators.gpu_execution_accelerator
        assert accelerator.name == "tensorrt"
        return dict(accelerator.parameters)

    found = options(SHA256)
    assert found["precision_mode"] == "FP16"
    assert found["trt_engine_cache_enable"] == found["trt_timing_cache_enable"] == "true"
    profiles = [found[f"trt_profile_{kind}_shapes"].split(",") for kind in ("min", "opt", "max")]
    for smallest, usual, largest in zip(*profiles, strict=True):
        (name, low), (_, middle), (_, high) = (entry.split(":") for entry in (smallest, usual, largest))
        assert name in ("input_ids", "attention_mask")
        assert low.split("x")[1] == middle.split("x")[1] == high.split("x")[1]
        assert int(low.split("x")[0]) == 1 < int(middle.split("x")[0]) < int(high.split("x")[0])
    assert {entry.split("x")[1] for entry in profiles[0]} == {str(length) for length in spec().lengths}
    # An engine is named after the graph: another version's weights must not be found under its name.
    assert found["trt_engine_cache_prefix"] != options("cd" * 32)["trt_engine_cache_prefix"]


@pytest.mark.parametrize("max_tokens", [8, 16, 100, 128, 512])
def test_on_a_cpu_padding_is_below_4_tokens_or_an_eighth(max_tokens: int) -> None:
    lengths = lengths_on_cpu(lengths_up_to(max_tokens))
    assert lengths[-1] == max_tokens
    assert set(lengths_up_to(max_tokens)) <= set(lengths)
    for tokens in range(8, max_tokens + 1):
        padded = next(length for length in lengths if length >= tokens)
        assert padded - tokens < max(4, tokens / 8), tokens


@pytest.mark.parametrize("max_tokens", [8, 16, 100, 128, 512])
def test_on_a_gpu_padding_is_below_8_tokens_then_16_then_an_eighth(max_tokens: int) -> None:
    lengths = lengths_on_gpu(lengths_up_to(max_tokens))
    assert lengths[-1] == max_tokens
    assert set(lengths_up_to(max_tokens)) <= set(lengths)
    assert all(length % 8 == 0 for length in lengths[:-1])
    for tokens in range(1, max_tokens + 1):
        padded = next(length for length in lengths if length >= tokens)
        assert padded - tokens < (8 if tokens <= 64 else max(16, tokens / 8)), tokens


def test_configurations_of_our_own_backend_tell_finer_steps_and_are_still_of_their_spec() -> None:
    for target in TARGETS:
        config = parse(render(spec(), target, weights_sha256=SHA256))
        told = config.parameters["padded_lengths"].string_value if "padded_lengths" in config.parameters else ""
        assert told == ",".join(map(str, lengths_on_server(target, spec().lengths)))
        assert bool(told) == (target in ("cpu", "gpu-ort"))
        assert spec_of(config) == spec()


def test_the_settings_name_every_kind_of_machine() -> None:
    assert set(get_args(TritonConfig)) == set(TARGETS)


def test_a_run_on_a_gpu_is_bounded_and_the_largest_is_warmed_up() -> None:
    for max_tokens in (128, 512):
        made = spec(max_tokens=max_tokens, lengths=lengths_up_to(max_tokens))
        config = parse(render(made, "gpu-ort", weights_sha256=SHA256, serving=Serving(instances=2)))
        tokens = [sample.batch_size * sample.inputs["input_ids"].dims[0] for sample in config.model_warmup]
        assert max(tokens) == 256 * max_tokens <= int(config.parameters["max_run_tokens"].string_value)
        (group,) = config.instance_group
        assert (group.kind, group.count) == (ModelInstanceGroup.KIND_GPU, 2)


def test_a_canary_is_a_model_of_its_own_that_says_whose_it_is() -> None:
    config = parse(render(spec(version=2), "cpu", weights_sha256=SHA256, canary=Canary("sentiment", 10)))
    assert config.name == "sentiment_canary"
    values = {key: parameter.string_value for key, parameter in config.parameters.items()}
    assert (values["canary_of"], values["canary_share"], values["version"]) == ("sentiment", "10", "2")
    assert spec_of(config) == spec(version=2)


@pytest.mark.parametrize("key", ["labels", "version", "tokenizer_sha256", "precisions"])
def test_a_configuration_without_a_parameter_says_which(key: str) -> None:
    config = parse(render(spec(), "cpu", weights_sha256=SHA256))
    del config.parameters[key]
    with pytest.raises(ExportError, match=key):
        spec_of(config)


def test_a_configuration_with_a_wrong_parameter_is_refused() -> None:
    config = parse(render(spec(), "cpu", weights_sha256=SHA256))
    config.parameters["precisions"].string_value = "fp32,fp8"
    with pytest.raises(ExportError, match="impossible"):
        spec_of(config)


def test_text_that_is_no_configuration_is_refused() -> None:
    with pytest.raises(ExportError, match="no Triton model configuration"):
        parse("name = sentiment")
