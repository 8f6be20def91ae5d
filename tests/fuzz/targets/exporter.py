"""What the exporter reads: checkpoints from anywhere, versions on disk, texts with labels."""

import gzip
import json

from hypothesis import strategies as st

from export.checkpoints.config import MAX_TOKENS, CheckpointError, Config, read_config
from export.checkpoints.tokenizer import SETTINGS, max_length, tokenizer_file
from export.checkpoints.weights import INDEX, SAFETENSORS, check_file, weight_files
from export.errors import ExportError
from export.evidence.labelled import read_labelled
from export.evidence.sample_posts import read_posts
from export.spec import FileFacts, Manifest, SpecError
from tests import hostile
from tests.fuzz.target import Target, scratch
from tests.unit.export.versions import spec
from tests.unit.inference import small_models

CONFIG: dict[str, object] = {
    "model_type": "distilbert",
    "architectures": ["DistilBertForSequenceClassification"],
    "id2label": {"0": "negative", "1": "positive"},
    "max_position_embeddings": 512,
    "n_layers": 2,
    "n_heads": 2,
    "dim": 32,
    "vocab_size": 100,
}
ROBERTA = CONFIG | {
    "model_type": "roberta",
    "architectures": ["RobertaForSequenceClassification"],
    "problem_type": "multi_label_classification",
    "pad_token_id": 1,
    "num_hidden_layers": 2,
}
READ = Config("distilbert", ("negative", "positive"), "softmax", 512, 2, 2, 32, 100)
MANIFEST = Manifest(spec(), {"model.onnx": FileFacts(3, "ab" * 32)}, "2026-01-31T12:00:00+00:00", {"torch": "2"})
_FOLDER = scratch()


def checkpoint_config(raw: bytes) -> None:
    """A classifier that can be served, or a sentence."""
    (_FOLDER / "config.json").write_bytes(raw)
    try:
        config = read_config(_FOLDER, "any")
    except CheckpointError as error:
        assert str(error)
        return
    assert len(set(config.labels)) == len(config.labels) >= 2
    assert all(label.isprintable() and label.strip() and "," not in label for label in config.labels)
    assert 2 <= config.max_tokens <= MAX_TOKENS
    assert min(config.layers, config.heads, config.hidden, config.vocab_size) >= 1


def checkpoint_tokenizer(raw: bytes) -> None:
    """A tokenizer whose tokens the model knows, or a sentence."""
    (_FOLDER / "tokenizer.json").write_bytes(raw)
    try:
        tokenizer_file(_FOLDER, _FOLDER, READ, "any")
    except CheckpointError as error:
        assert str(error)


def tokenizer_settings(raw: bytes) -> None:
    """A length that model and tokenizer allow, or a sentence."""
    (_FOLDER / SETTINGS).write_bytes(raw)
    try:
        assert 2 <= max_length(_FOLDER, READ, "any") <= READ.max_tokens
    except CheckpointError as error:
        assert str(error)


def weights(raw: bytes) -> None:
    """Only a header is read, and what is damaged is told."""
    for name in (SAFETENSORS, "pytorch_model.bin"):
        path = _FOLDER / name
        path.write_bytes(raw)
        try:
            check_file(path, "any")
        except CheckpointError as error:
            assert str(error)
    index = _FOLDER / f"{SAFETENSORS}{INDEX}"
    index.write_bytes(raw)
    try:
        files = weight_files([index.name, "a.safetensors"], lambda _: index, "any")
        assert files == ("a.safetensors",)
    except CheckpointError as error:
        assert str(error)


def manifest(raw: bytes) -> None:
    """A version that can be written again as it was read, or a SpecError."""
    try:
        found = Manifest.from_json(raw.decode("utf-8", "replace"))
    except SpecError as error:
        assert len(str(error)) < 10_000 + len(raw)
        return
    assert Manifest.from_json(found.to_json()) == found


def labelled_texts(raw: bytes) -> None:
    """Texts that a tokenizer takes, with labels of the model; or the line that is none."""
    for name, content in (("a.tsv", raw), ("a.jsonl", raw), ("b.jsonl.gz", raw), ("c.tsv.gz", gzip.compress(raw, 1))):
        path = _FOLDER / name
        path.write_bytes(content)
        try:
            for example in read_labelled(path, ("joy", "fear")):
                example.text.encode()
                assert set(example.labels) <= {0, 1}
        except ExportError as error:
            assert str(error)
        try:
            assert all(post.encode() for post in read_posts(path))
        except ExportError as error:
            assert str(error)


def safetensors(header: bytes, data: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header + data


TENSOR = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()

TARGETS = (
    Target(
        "checkpoint_config",
        checkpoint_config,
        [
            json.dumps(CONFIG).encode(),
            json.dumps(ROBERTA).encode(),
            json.dumps(CONFIG | {"model_type": []}).encode(),
            hostile.deep(2_000, "id2label"),
        ],
        st.one_of(
            hostile.nearly(CONFIG).map(str.encode),
            hostile.nearly(ROBERTA).map(str.encode),
            st.dictionaries(hostile.texts(4), hostile.texts(10), max_size=3).map(
                lambda labels: json.dumps(CONFIG | {"id2label": labels}).encode()
            ),
            hostile.raw_texts(),
        ),
    ),
    Target(
        "checkpoint_tokenizer",
        checkpoint_tokenizer,
        [small_models.tokenizer_file(2), small_models.tokenizer_file(100)],
        st.builds(
            lambda at, new: small_models.tokenizer_file(2)[:at] + new + small_models.tokenizer_file(2)[at + len(new) :],
            st.integers(0, 600),
            st.binary(min_size=1, max_size=6),
        ),
    ),
    Target(
        "tokenizer_settings",
        tokenizer_settings,
        [b'{"model_max_length": 512}', b'{"model_max_length": 1000000000000000019884624838656}', b"[]"],
        hostile.nearly({"model_max_length": 512}).map(str.encode) | hostile.raw_texts(),
    ),
    Target(
        "weights",
        weights,
        [
            safetensors(TENSOR, b"1234"),
            safetensors(hostile.deep(2_000, "a"), b""),
            b"PK\x03\x04",
            b"\x80\x02.",
            json.dumps({"weight_map": {"x": "a.safetensors"}}).encode(),
            b"version https://git-lfs.github.com/spec/v1\n",
        ],
        st.one_of(
            st.builds(safetensors, hostile.nearly(json.loads(TENSOR)).map(str.encode), st.binary(max_size=8)),
            hostile.nearly({"weight_map": {"x": "a.safetensors"}}).map(str.encode),
            st.binary(max_size=60),
        ),
    ),
    Target(
        "manifest",
        manifest,
        [MANIFEST.to_json().encode(), hostile.deep(2_000, "spec")],
        st.one_of(
            hostile.nearly(json.loads(MANIFEST.to_json())).map(str.encode),
            hostile.nearly(json.loads(MANIFEST.to_json())["spec"]).map(
                lambda text: b'{"spec": %s, "files": {}, "created_at": "", "made_with": {}}' % text.encode()
            ),
            hostile.raw_texts(),
        ),
    ),
    Target(
        "labelled_texts",
        labelled_texts,
        [b"so\thappy\tjoy\nhelp!\tfear,JOY\n", b'{"text": "a", "label": "joy"}\n{"text": "c", "labels": ["fear"]}\n'],
        st.lists(hostile.nearly({"text": "a", "label": "joy"}).map(str.encode) | hostile.raw_texts(), max_size=3).map(
            b"\n".join
        ),
    ),
)
