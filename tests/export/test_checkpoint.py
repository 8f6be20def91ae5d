"""Checkpoints in folders: what a good one says, and what is said of each kind of bad one."""

import errno
import hashlib
import json
import os
import pickle
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from export.checkpoint import Checkpoint, CheckpointError, load_checkpoint
from tests.export.checkpoints import EMOTIONS, SENTENCES, SENTIMENT, make_distilbert, make_roberta, wordpiece

Damage = Callable[[Path], None]


@pytest.fixture
def copy(distilbert: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(distilbert, tmp_path / "copy"))


@pytest.fixture
def roberta_copy(roberta: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(roberta, tmp_path / "copy"))


def refusal(folder: Path) -> str:
    """What is said of a bad checkpoint; its folder stays as it was, and one sentence has to do."""
    before = content(folder)
    with pytest.raises(CheckpointError) as caught, load_checkpoint(str(folder), None):
        pass
    assert content(folder) == before
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder.parent) not in message
    return message


def content(folder: Path) -> dict[str, tuple[int, int, str]]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size < 2**28)
    return {p.name: (p.stat().st_size, p.stat().st_mtime_ns, hashlib.sha256(p.read_bytes()).hexdigest()) for p in files}


def edit_config(folder: Path, **changes: Any) -> None:
    """None removes a key."""
    path = folder / "config.json"
    values = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))


def edit_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


def as_pickle(folder: Path) -> Path:
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin")
    return folder / "pytorch_model.bin"


def test_a_label_too_many_is_seen_in_a_pickle_too(copy: Path) -> None:
    as_pickle(copy)
    edit_config(copy, id2label={"0": "a", "1": "b"})
    assert "its classifier has another number of them" in refusal(copy)


def reloaded(folder: Path) -> Checkpoint:
    with load_checkpoint(str(folder), None) as checkpoint:
        return checkpoint


def test_a_distilbert_is_described(distilbert: Path) -> None:
    with load_checkpoint(str(distilbert), None) as checkpoint:
        assert checkpoint.source == "small-distilbert"
        assert checkpoint.architecture == "distilbert"
        assert checkpoint.labels == SENTIMENT
        assert checkpoint.activation == "softmax"
        assert (checkpoint.max_tokens, checkpoint.layers) == (128, 2)
        assert checkpoint.vocab_size == wordpiece().get_vocab_size()
        assert checkpoint.tokenizer == distilbert / "tokenizer.json"
        assert checkpoint.work.is_dir()
        assert not any(parameter.requires_grad and parameter.isnan().any() for parameter in model_of(checkpoint))
    assert not checkpoint.work.exists()


def model_of(checkpoint: Checkpoint) -> list[Any]:
    return list(checkpoint.load_model().parameters())


def test_a_multi_label_roberta_is_described(roberta: Path) -> None:
    """Its 130 positions are 128 tokens: they are counted from the padding id + 1."""
    checkpoint = reloaded(roberta)
    assert checkpoint.architecture == "roberta"
    assert checkpoint.labels == EMOTIONS
    assert checkpoint.activation == "sigmoid"
    assert checkpoint.max_tokens == 128


def test_the_revision_of_a_folder_names_its_content(distilbert: Path, copy: Path) -> None:
    assert reloaded(copy).revision == reloaded(distilbert).revision
    edit_weights(copy, lambda tensors: tensors["classifier.bias"].add_(1.0))
    assert reloaded(copy).revision != reloaded(distilbert).revision


def test_invented_looking_labels_are_allowed_where_they_are_written_down(tmp_path: Path) -> None:
    """Of two labels, transformers writes down none that have these names: two would be refused."""
    names = ("LABEL_0", "LABEL_1", "LABEL_2")
    assert reloaded(make_distilbert(tmp_path / "checkpoint", names)).labels == names
    folder = make_distilbert(tmp_path / "two", names[:2])
    assert "names no labels" in refusal(folder)
    edit_config(folder, id2label={"0": "LABEL_0", "1": "LABEL_1"})
    assert reloaded(folder).labels == names[:2]


def test_labels_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    names = tuple(f"label {number}" for number in range(12))
    assert reloaded(make_roberta(tmp_path / "checkpoint", names)).labels == names


@pytest.mark.parametrize(("stated", "expected"), [(64, 64), (10**30, 128), (512, 128), (None, 128), ("many", 128)])
def test_the_tokenizers_limit_counts_where_it_is_one(copy: Path, stated: object, expected: int) -> None:
    (copy / "tokenizer_config.json").write_text(json.dumps({"model_max_length": stated}))
    assert reloaded(copy).max_tokens == expected


def test_no_more_than_512_tokens(copy: Path) -> None:
    edit_config(copy, max_position_embeddings=1_024)
    edit_weights(copy, lambda t: t.update({POSITIONS: torch.zeros(1_024, 64)}))
    assert reloaded(copy).max_tokens == 512


POSITIONS = "distilbert.embeddings.position_embeddings.weight"


def test_other_forms_of_weights_are_read(copy: Path, distilbert: Path) -> None:
    expected = reloaded(distilbert).load_model().state_dict()
    as_pickle(copy)
    found = reloaded(copy).load_model().state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("safe", [True, False], ids=["safetensors", "pickle"])
def test_weights_in_parts_are_read(distilbert: Path, tmp_path: Path, safe: bool) -> None:
    model = reloaded(distilbert).load_model()
    folder = tmp_path / "parts"
    model.save_pretrained(folder, max_shard_size="100KB", safe_serialization=safe)
    shutil.copy(distilbert / "tokenizer.json", folder)
    parts = sorted(path for path in folder.iterdir() if "-of-" in path.name)
    assert len(parts) > 1
    assert torch.equal(reloaded(folder).load_model().classifier.weight, model.classifier.weight)
    parts[0].unlink()
    assert f"lacks {parts[0].name}" in refusal(folder)


def test_half_precision_weights_become_single_precision(copy: Path) -> None:
    edit_weights(copy, lambda tensors: tensors.update({name: tensor.half() for name, tensor in tensors.items()}))
    edit_config(copy, dtype="float16")
    assert reloaded(copy).load_model().classifier.weight.dtype == torch.float32


def test_a_slow_wordpiece_is_converted(copy: Path) -> None:
    fast = Tokenizer.from_file(str(copy / "tokenizer.json"))
    vocabulary = fast.get_vocab()
    (copy / "vocab.txt").write_text("".join(f"{token}\n" for token in sorted(vocabulary, key=lambda t: vocabulary[t])))
    (copy / "tokenizer.json").unlink()
    assert converted(copy) == [encoding.ids for encoding in fast.encode_batch(list(SENTENCES))]


def test_a_slow_bpe_is_converted(roberta_copy: Path) -> None:
    fast = Tokenizer.from_file(str(roberta_copy / "tokenizer.json"))
    (roberta_copy / "tokenizer.json").unlink()
    fast.model.save(str(roberta_copy))
    assert converted(roberta_copy) == [encoding.ids for encoding in fast.encode_batch(list(SENTENCES))]


def converted(folder: Path) -> list[list[int]]:
    before = content(folder)
    with load_checkpoint(str(folder), None) as checkpoint:
        assert checkpoint.tokenizer.parent == checkpoint.work
        tokenizer = Tokenizer.from_file(str(checkpoint.tokenizer))
    assert content(folder) == before
    return [encoding.ids for encoding in tokenizer.encode_batch(list(SENTENCES))]


def test_a_folder_needs_no_network(distilbert: Path, roberta: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for folder in (distilbert, roberta):
        reloaded(folder).load_model()


def test_paths_are_not_taken_for_names(tmp_path: Path, distilbert: Path) -> None:
    for model in (str(tmp_path / "nothing"), "./nothing", "a/b/c", str(distilbert / "config.json")):
        with pytest.raises(CheckpointError, match="is no folder"), load_checkpoint(model, None):
            pass
    with pytest.raises(CheckpointError, match="no revisions"), load_checkpoint(str(distilbert), "main"):
        pass


def test_an_awkward_folder_name_is_made_harmless(distilbert: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(distilbert, tmp_path / ('a "quoted"\n' + "n" * 200))
    source = reloaded(Path(folder)).source
    assert source.startswith("a _quoted__n")
    assert len(source) == 100


CONFIGS: list[tuple[dict[str, Any], str]] = [
    ({"model_type": "bert"}, "architecture 'bert'"),
    ({"model_type": None}, "architecture None"),
    ({"architectures": ["DistilBertForMaskedLM"]}, "no sequence classifier (architectures: DistilBertForMaskedLM)"),
    ({"architectures": None}, "no sequence classifier (architectures: none)"),
    ({"architectures": "DistilBertForSequenceClassification"}, "no sequence classifier"),
    ({"quantization_config": {"quant_method": "gptq"}}, "are quantized"),
    ({"position_embedding_type": "relative_key"}, "position_embedding_type is 'relative_key'"),
    ({"problem_type": "regression"}, "trained for 'regression'"),
    ({"id2label": None}, "names no labels: add id2label"),
    ({"id2label": {}}, "names no labels"),
    ({"id2label": ["a", "b", "c"]}, "names no labels"),
    ({"id2label": {"0": "a", "2": "b", "3": "c"}}, "does not number its labels from 0 to 2"),
    ({"id2label": {"0": "a", "1": "b"}}, "2 labels in config.json, but its classifier has 3"),
    ({"id2label": {str(i): f"l{i}" for i in range(4)}}, "4 labels in config.json, but its classifier has 3"),
    ({"id2label": {"0": "only"}}, "one label only"),
    ({"n_layers": 1}, "weights for 2 layers, but its config.json says 1"),
    ({"n_layers": 3}, "lacks the weights distilbert.transformer.layer.2."),
    ({"n_layers": "two"}, "n_layers in config.json of copy is 'two'"),
    ({"vocab_size": 0}, "vocab_size in config.json of copy is 0"),
    ({"vocab_size": 1_000}, "word_embeddings.weight of copy has another shape"),
    ({"n_heads": 5}, "cannot be loaded"),
    ({"max_position_embeddings": 64}, "position_embeddings.weight of copy has another shape"),
]


@pytest.mark.parametrize(("changes", "expected"), CONFIGS)
def test_a_config_of_something_else_is_refused(copy: Path, changes: dict[str, Any], expected: str) -> None:
    edit_config(copy, **changes)
    assert expected in refusal(copy)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("", "empty label"),
        ("  ", "empty label"),
        ("neutral", "the label 'neutral' twice"),
        *[(label, "cannot be served") for label in ("a,b", "a\nb", 'a"b', "a\\b", " a", "a\t", "a\x7f", "a\u2028b")],
    ],
)
def test_a_label_that_cannot_be_served_is_refused(copy: Path, label: str, expected: str) -> None:
    edit_config(copy, id2label={"0": "neutral", "1": label, "2": "positive"})
    assert expected in refusal(copy)


@pytest.mark.parametrize("text", ["", "{", "no JSON", "[" * 100_000, b"\xff\xfe"], ids=range(5))
def test_a_config_that_is_not_json_is_refused(copy: Path, text: str | bytes) -> None:
    (copy / "config.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert "config.json of copy is not JSON" in refusal(copy)


def test_a_config_that_is_no_object_is_refused(copy: Path) -> None:
    (copy / "config.json").write_text("[]")
    assert "no JSON object" in refusal(copy)


def remove(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def replace(name: str, data: bytes) -> Damage:
    def write(folder: Path) -> None:
        (folder / name).write_bytes(data)

    return write


def cut_off(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def cut_off_in_header(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:500])


def cut_off_pickle(folder: Path) -> None:
    path = as_pickle(folder)
    path.write_bytes(path.read_bytes()[:-100])


def text_for_pickle(folder: Path) -> None:
    as_pickle(folder).write_text("These are no weights.")


def fewer_tokens_than_the_tokenizer(folder: Path) -> None:
    def cut(tensors: dict[str, torch.Tensor]) -> None:
        name = "distilbert.embeddings.word_embeddings.weight"
        tensors[name] = tensors[name][:200].clone()

    edit_weights(folder, cut)
    edit_config(folder, vocab_size=200)


def poison(value: float) -> Damage:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors["distilbert.transformer.layer.1.ffn.lin1.weight"][3, 5] = value

    return lambda folder: edit_weights(folder, change)


def without_head(folder: Path) -> None:
    def behead(tensors: dict[str, torch.Tensor]) -> None:
        for name in [name for name in tensors if "classifier" in name]:
            del tensors[name]

    edit_weights(folder, behead)


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4665a5ea423c2713d436b5ee50593a96\nsize 267832558\n"

DAMAGES: list[tuple[Damage, str]] = [
    (remove("config.json"), "has no config.json"),
    (remove("model.safetensors"), "has neither model.safetensors nor pytorch_model.bin"),
    (remove("tokenizer.json"), "has no tokenizer: put tokenizer.json (or vocab.txt)"),
    (replace("tokenizer.json", b"{}"), "tokenizer.json of copy is no tokenizer"),
    (replace("tokenizer_config.json", b"{"), "tokenizer_config.json of copy is not JSON"),
    (replace("model.safetensors", b""), "no safetensors file"),
    (replace("model.safetensors", b"short"), "no safetensors file"),
    (replace("model.safetensors", bytes(1_000)), "no safetensors file"),
    (replace("model.safetensors", (100).to_bytes(8, "little") + b"x" * 200), "no safetensors file"),
    (replace("model.safetensors", LFS), "run `git lfs pull`"),
    (cut_off, "download it again"),
    (cut_off_in_header, "is cut off"),
    (cut_off_pickle, "is cut off"),
    (text_for_pickle, "holds no PyTorch weights"),
    (fewer_tokens_than_the_tokenizer, "but the model only knows 200 tokens"),
    (poison(float("nan")), "has NaN or infinity in distilbert.transformer.layer.1.ffn.lin1.weight"),
    (poison(float("inf")), "has NaN or infinity"),
    (without_head, "lacks the weights classifier.bias and 3 more"),
]


@pytest.mark.parametrize(("damage", "expected"), DAMAGES, ids=range(len(DAMAGES)))
def test_damaged_files_are_refused(copy: Path, damage: Damage, expected: str) -> None:
    damage(copy)
    assert expected in refusal(copy)


def test_weights_that_another_user_alone_may_read_are_refused(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Path.open

    # As the system does, but for root, whom it lets read everything.
    def refuse(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == "model.safetensors":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CheckpointError, match=r"safetensors may not be read .*chmod"), load_checkpoint(str(copy)):
        pass


def test_a_huge_text_is_refused_without_reading_it(copy: Path) -> None:
    path = copy / "model.safetensors"
    with path.open("wb") as file:
        file.write(b"This is a text, and a long one. ")
        file.truncate(2 * 2**30)
    before = psutil.Process().io_counters()
    assert "no safetensors file" in refusal(copy)
    # The other files are hashed by the test itself: some 10^5 bytes.
    assert psutil.Process().io_counters().read_chars - before.read_chars < 2**22


class Intruder:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("form", ["torch", "pickle"])
def test_code_in_a_pickle_is_not_run(copy: Path, tmp_path: Path, form: str) -> None:
    path, target = as_pickle(copy), tmp_path / "intruded"
    if form == "torch":
        torch.save({"classifier.weight": Intruder(target)}, path)
    else:
        path.write_bytes(pickle.dumps(Intruder(target)))
    assert "pytorch_model.bin of copy is damaged or holds more than weights" in refusal(copy)
    assert not target.exists()
