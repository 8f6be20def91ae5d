"""A model is what its configuration and the repository say, or a sentence that tells what is wrong."""

import hashlib
from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from services.common.errors import ConfigurationError
from services.inference.models import parse_model


def config(**changes: str) -> ModelConfig:
    parameters = {
        "labels": "negative,positive",
        "activation": "softmax",
        "sequence_lengths": "16,32",
        "max_tokens": "32",
        "source": "some/checkpoint",
        "tokenizer_sha256": hashlib.sha256(b"tokenizer").hexdigest(),
        **changes,
    }
    given = [f'parameters {{ key: "{k}" value {{ string_value: "{v}" }} }}' for k, v in parameters.items() if v]
    shape = 'name: "sentiment" max_batch_size: 64 output [ { name: "logits" data_type: TYPE_FP32 dims: [ 2 ] } ]'
    return text_format.Parse(shape + "\n".join(given), ModelConfig())


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "sentiment").mkdir()
    (tmp_path / "sentiment" / "tokenizer.json").write_bytes(b"tokenizer")
    return tmp_path


def test_the_parameters_are_read(repository: Path) -> None:
    model = parse_model(config(), repository)
    assert model.labels == ("negative", "positive")
    assert model.lengths == (16, 32)
    assert (model.max_tokens, model.max_rows, model.source) == (32, 64, "some/checkpoint")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"labels": ""}, "labels"),
        ({"source": ""}, "source"),
        ({"activation": "tanh"}, "tanh"),
        ({"sequence_lengths": "16,many"}, "many"),
        ({"max_tokens": "64"}, "max_tokens 64"),
        ({"labels": "a,b,c"}, "logits"),
        ({"tokenizer_sha256": "0" * 64}, "not the tokenizer"),
    ],
)
def test_what_does_not_fit_is_told(repository: Path, changes: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        parse_model(config(**changes), repository)


def test_a_missing_tokenizer_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="MODEL_REPOSITORY"):
        parse_model(config(), tmp_path)
