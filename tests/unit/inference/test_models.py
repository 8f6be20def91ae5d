"""A model is what its configuration and the repository say, or a sentence that tells what is wrong."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer, processors

from services.common.errors import ConfigurationError
from services.inference.models import parse_model
from services.inference.tokenizer import read_tokenizer
from tests.unit.inference.small_models import config, sha256, tokenizer_file


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "sentiment" / "1").mkdir(parents=True)
    (tmp_path / "sentiment" / "1" / "tokenizer.json").write_bytes(tokenizer_file(2))
    return tmp_path


def test_the_parameters_are_read(repository: Path) -> None:
    model = parse_model(config(), repository)
    assert model.labels == ("negative", "positive")
    assert model.lengths == (16, 32)
    assert (model.max_tokens, model.max_rows, model.source) == (32, 64, "some/checkpoint")
    assert (model.version, model.revision) == (1, "main")
    assert (model.role, model.canary_of, model.canary_share) == ("sentiment", "", 0)


def test_texts_of_all_lengths_share_a_request_where_the_server_pads_them(repository: Path) -> None:
    assert not parse_model(config(), repository).mixed_lengths
    model = parse_model(config(padded_lengths="8,16,24,32"), repository)
    assert (model.mixed_lengths, model.lengths) == (True, (16, 32))


def test_the_tokenizer_is_that_of_the_version(repository: Path) -> None:
    assert parse_model(config(version="12"), repository).tokenizer_file == repository / "sentiment/12/tokenizer.json"
    tokenizer = read_tokenizer(parse_model(config(), repository))
    assert tokenizer.encode(["hello hello"]) == [[2, 2]]


def test_a_canary_stands_in_for_the_model_in_service(repository: Path) -> None:
    model = parse_model(config("sentiment_canary", canary_of="sentiment", canary_share="12.5"), repository)
    assert (model.name, model.role, model.canary_share) == ("sentiment_canary", "sentiment", 12.5)
    assert model.tokenizer_file.parent == repository / "sentiment_canary/1"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"labels": ""}, "labels"),
        ({"source": ""}, "source"),
        ({"revision": ""}, "revision"),
        ({"version": ""}, "version"),
        ({"version": "first"}, "first"),
        ({"version": "0"}, "version is 0"),
        ({"version": str(2**31)}, "version is 2147483648"),
        ({"version": "1e400"}, "1e400"),
        ({"source": "x" * 101}, "100 characters"),
        ({"source": "a\\000b"}, "cannot be printed"),
        ({"source": "\u202egpj"}, "cannot be printed"),
        ({"labels": "good,good"}, "another name"),
        ({"labels": "good,"}, "another name"),
        ({"labels": "good, "}, "another name"),
        ({"labels": "good,\\000"}, "another name"),
        ({"labels": f"good,{'x' * 51}"}, "another name"),
        ({"max_tokens": "1"}, "max_tokens 1"),
        ({"max_tokens": "-5"}, "max_tokens -5"),
        ({"sequence_lengths": "1,32"}, "lengths"),
        ({"activation": "tanh"}, "tanh"),
        ({"sequence_lengths": "16,many"}, "many"),
        ({"max_tokens": "64"}, "max_tokens 64"),
        ({"labels": "a,b,c"}, "logits"),
        ({"canary_of": "sentiment"}, "canary_share"),
        ({"canary_of": "sentiment", "canary_share": "some"}, "some"),
        ({"canary_of": "sentiment", "canary_share": "0"}, "canary_share is 0"),
        ({"canary_of": "sentiment", "canary_share": "100.5"}, "canary_share is 100.5"),
        ({"canary_of": "sentiment", "canary_share": "nan"}, "canary_share is nan"),
    ],
)
def test_what_does_not_fit_is_told(repository: Path, changes: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        parse_model(config(**changes), repository)


def test_another_tokenizer_is_told(repository: Path) -> None:
    model = parse_model(config(tokenizer_sha256="0" * 64), repository)
    with pytest.raises(ConfigurationError, match=r"sentiment version 1.*not the tokenizer"):
        read_tokenizer(model)


def test_a_missing_tokenizer_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="MODEL_REPOSITORY"):
        read_tokenizer(parse_model(config(), tmp_path))


def test_a_file_that_is_no_tokenizer_is_told(repository: Path) -> None:
    (repository / "sentiment/1/tokenizer.json").write_bytes(b"{}")
    with pytest.raises(ConfigurationError, match="is no tokenizer"):
        read_tokenizer(parse_model(config(tokenizer_sha256=sha256(b"{}")), repository))


def test_a_tokenizer_that_fails_at_strange_texts_is_told_before_there_is_one(repository: Path) -> None:
    """It would fail the whole batch that such a text is in, again and again."""
    content = tokenizer_file(2).replace(b'"unk_token":"[UNK]"', b'"unk_token":"[NONE]"').replace(b"hello", b"word")
    (repository / "sentiment/1/tokenizer.json").write_bytes(content)
    with pytest.raises(ConfigurationError, match="is no tokenizer"):
        read_tokenizer(parse_model(config(tokenizer_sha256=sha256(content)), repository))


def test_a_tokenizer_that_makes_more_tokens_than_the_model_takes_is_told(repository: Path) -> None:
    content = with_special_tokens(40)
    (repository / "sentiment/1/tokenizer.json").write_bytes(content)
    with pytest.raises(ConfigurationError, match="makes 72 tokens of a text, and the model takes 32"):
        read_tokenizer(parse_model(config(tokenizer_sha256=sha256(content)), repository))


def with_special_tokens(count: int) -> bytes:
    made = Tokenizer.from_buffer(tokenizer_file(2))
    made.post_processor = processors.TemplateProcessing(
        single=f"{'[PAD] ' * count}$A", pair="$A $B", special_tokens=[("[PAD]", 0)]
    )
    return made.to_str().encode()
