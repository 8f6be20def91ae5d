"""What models are made of: Triton's configurations, tokenizers, and any text that is tokenized."""

import hashlib
from pathlib import Path

from hypothesis import strategies as st
from tritonclient.grpc.model_config_pb2 import ModelConfig

from services.common.errors import ConfigurationError
from services.common.messages import MAX_CONTENT_CHARS, MAX_MODEL_NAME_CHARS
from services.inference.models import MAX_EMOTION_CHARS, MAX_VERSION, MIN_TOKENS, Model, parse_model
from services.inference.tokenizer import PostTokenizer, read_tokenizer
from tests import hostile
from tests.conftest import ROOT
from tests.fuzz.target import Target, raw_fields, scratch, texts_of
from tests.unit.inference.small_models import config, tokenizer_file

PARAMETERS = {key: value.string_value for key, value in config().parameters.items()}
SHIPPED = [
    (ROOT / "model_repository" / name / "1" / "tokenizer.json").read_bytes() for name in ("sentiment", "emotion")
]
MAX_TOKENS = 64
_TOKENIZERS = [PostTokenizer(content, MAX_TOKENS) for content in SHIPPED]
_FOLDER = scratch()


def model_configuration(raw: bytes) -> None:
    """A model that the tables have room for, or a sentence."""
    asked = ModelConfig()
    asked.CopyFrom(config())
    asked.parameters.clear()
    for name, value in texts_of(raw).items():
        asked.parameters[name].string_value = value
    try:
        model = parse_model(asked, Path("repository"))
    except ConfigurationError as error:
        str(error).encode()
        return
    assert 1 <= model.version <= MAX_VERSION
    assert len(model.source) <= MAX_MODEL_NAME_CHARS
    assert len(set(model.labels)) == len(model.labels) == 2
    assert all(0 < len(label) <= MAX_EMOTION_CHARS and label.isprintable() for label in model.labels)
    assert MIN_TOKENS <= model.max_tokens <= model.lengths[-1]
    assert 0 <= model.canary_share <= 100
    assert "\x00" not in model.source


def tokenized_text(raw: bytes) -> None:
    """As many tokens as the model takes, the same ones alone and among others."""
    text = raw.decode("utf-8", "replace")[:MAX_CONTENT_CHARS]
    for tokenizer in _TOKENIZERS:
        (alone,) = tokenizer.encode([text])
        assert 2 <= len(alone) <= MAX_TOKENS
        assert tokenizer.encode(["before", text, ""])[1] == alone


def tokenizer_json(raw: bytes) -> None:
    """A tokenizer that takes every text, or a sentence."""
    path = _FOLDER / "tokenizer.json"
    path.write_bytes(raw)
    model = Model(
        name="any",
        version=1,
        source="any",
        revision="any",
        labels=("a", "b"),
        activation="softmax",
        max_tokens=16,
        lengths=(16,),
        mixed_lengths=False,
        max_rows=1,
        tokenizer_file=path,
        tokenizer_sha256=hashlib.sha256(raw).hexdigest(),
    )
    try:
        tokenizer = read_tokenizer(model)
    except ConfigurationError:
        return
    assert all(len(tokens) <= 16 for tokens in tokenizer.encode(["hello", "", "hello 😀 " * 40]))


NUMBERS = st.sampled_from(hostile.NUMBERS).map(str.encode)

TARGETS = (
    Target(
        "model_configuration",
        model_configuration,
        [
            raw_fields({name.encode(): value.encode() for name, value in PARAMETERS.items()}),
            raw_fields(
                {name.encode(): value.encode() for name, value in PARAMETERS.items()}
                | {b"canary_of": b"sentiment", b"canary_share": b"12.5", b"padded_lengths": b"8,16"}
            ),
        ],
        st.dictionaries(
            st.sampled_from([*(name.encode() for name in PARAMETERS), b"canary_of", b"canary_share"]),
            hostile.raw_texts() | NUMBERS | st.lists(NUMBERS, max_size=3).map(b",".join),
            max_size=3,
        ).map(
            lambda changes: raw_fields({name.encode(): value.encode() for name, value in PARAMETERS.items()} | changes)
        ),
    ),
    Target(
        "tokenized_text",
        tokenized_text,
        [text.encode()[:4_000] for text in (*hostile.TEXTS.values(), *hostile.BLANKS.values())],
        hostile.texts(2_000).map(str.encode),
    ),
    Target(
        "tokenizer_json",
        tokenizer_json,
        [tokenizer_file(2), b"{}", hostile.deep(1_000, "model")],
        st.builds(
            lambda at, gone, new: tokenizer_file(2)[:at] + new + tokenizer_file(2)[at + gone :],
            st.integers(0, 600),
            st.integers(0, 12),
            st.sampled_from([b"", b"null", b"-1", b"1e400", b"[", b"{}", b'"', b"true"]),
        ),
    ),
)
