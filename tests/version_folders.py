"""Whole versions of a small model, as the exporter leaves them: a graph, a tokenizer, a manifest, configurations."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from export.evidence.encoding import TokenIds
from export.evidence.sample_posts import read_posts
from export.evidence.scores import Logits
from export.gates.candidate import Candidate
from export.spec import FILES, Activation, ModelSpec, Precision
from export.version_folder import TOKENIZER, write_version
from tests.integration.triton_models import model

LABELS = ("negative", "neutral", "positive")
LENGTHS = (16, 32, 64)
SPECIAL = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3}


def tokenizer() -> Tokenizer:
    """One token a word: lower-cased words of our sample posts, all others unknown."""
    splitter = pre_tokenizers.BertPreTokenizer()
    words = sorted({word for post in read_posts() for word, _ in splitter.pre_tokenize_str(post.lower())})
    made = Tokenizer(models.WordLevel(SPECIAL | {word: 4 + i for i, word in enumerate(words)}, unk_token="[UNK]"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = splitter
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return made


def classifier(
    *,
    seed: int = 1,
    labels: int = len(LABELS),
    width: int = 32,
    products: int = 0,
    loud: float = 1.0,
    leaks: bool = False,
    bias: float = 0.0,
) -> onnx.GraphProto:
    """The mean embedding of the tokens that count, twice projected: right padding changes nothing.

    Each of the `products` is one of 512 x 512 matrices, only to be slow. The embeddings of every twentieth token are
    `loud` times as large. `leaks`: the mean is taken over the padding, too. `bias` is added to
    the last logit.
    """
    random = np.random.default_rng(seed)
    table = random.standard_normal((tokenizer().get_vocab_size(), width), dtype=np.float32)
    table[::20] *= loud
    weights = {
        "table": table,
        "hidden": random.standard_normal((width, width), dtype=np.float32),
        "projection": random.standard_normal((width, labels), dtype=np.float32),
        "square": np.full((512, 512) if products else (1, 1), 1 / 512, dtype=np.float32),
        "bias": np.array([0.0] * (labels - 1) + [bias], dtype=np.float32),
        "one": np.array([1]),
        "two": np.array([2]),
    }
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["embedded"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "two"], ["column"]),
        helper.make_node("Mul", ["embedded", "column"], ["counted"]),
        helper.make_node("ReduceSum", ["counted", "one"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "one"], ["tokens"]),
        # The warm-up's rows have no token at all.
        helper.make_node("Add", ["tokens", "little"], ["divisor"]),
        helper.make_node("ReduceMean", ["counted", "one"], ["pooled"], keepdims=0)
        if leaks
        else helper.make_node("Div", ["sum", "divisor"], ["pooled"]),
        helper.make_node("MatMul", ["pooled", "hidden"], ["projected"]),
        helper.make_node("Relu", ["projected"], ["active"]),
        helper.make_node("MatMul", ["active", "projection"], ["quick"]),
        # Zero, but only at run time: what does not depend on the input would be computed when the model loads.
        helper.make_node("ReduceMin", ["mask"], ["lowest"], keepdims=0),
        helper.make_node("Sub", ["lowest", "lowest"], ["zero"]),
        helper.make_node("Add", ["square", "zero"], ["product_0"]),
        *(helper.make_node("MatMul", [f"product_{n}", "square"], [f"product_{n + 1}"]) for n in range(products)),
        helper.make_node("ReduceMin", [f"product_{products}"], ["least"], keepdims=0),
        helper.make_node("Mul", ["least", "zero"], ["nothing"]),
        helper.make_node("Add", ["quick", "nothing"], ["unbiased"]),
        helper.make_node("Add", ["unbiased", "bias"], ["logits"]),
    ]
    weights["little"] = np.array([[1e-6]], dtype=np.float32)
    return helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info(n, TensorProto.INT64, ["rows", "length"]) for n in INPUTS],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", labels])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )


INPUTS = ("input_ids", "attention_mask")


def make_version(
    folder: Path,
    files: Mapping[Precision, bytes] | None = None,
    *,
    version: int = 1,
    labels: tuple[str, ...] = LABELS,
    activation: Activation = "softmax",
) -> Path:
    """`<folder>/<version>` with these weights, by default the classifier in fp32."""
    files = files or {"fp32": model(classifier(labels=len(labels)))}
    path = folder / str(version)
    path.mkdir(parents=True)
    for precision, content in files.items():
        (path / FILES[precision]).write_bytes(content)
    tokenizer().save(str(path / TOKENIZER))
    spec = ModelSpec(
        name="tiny",
        version=version,
        source="made-for-a-test",
        revision="1",
        architecture="distilbert",
        labels=labels,
        activation=activation,
        max_tokens=LENGTHS[-1],
        lengths=LENGTHS,
        tokenizer_sha256=hashlib.sha256((path / TOKENIZER).read_bytes()).hexdigest(),
        precisions=tuple(files),
    )
    write_version(path, spec)
    return path


class Original:
    """Stands for the checkpoint: the undamaged version, each text alone."""

    def __init__(self, candidate: Candidate, precision: Precision = "fp32") -> None:
        self._direct = candidate.open(precision)

    def logits(self, rows: Sequence[TokenIds]) -> Logits:
        return np.concatenate([self._direct.padded([row], len(row)) for row in rows])
