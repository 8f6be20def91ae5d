"""`python -m export.starter.restore NAME FOLDER`: a starter model of the repository as a checkpoint again.

What is published is an ONNX file for the CPU. A GPU wants another one, in half precision and with fused attention, and
that is exported from a checkpoint: `python -m export NAME --model FOLDER --precisions fp32,fp16`.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from tokenizers import Tokenizer
from transformers import (
    DistilBertConfig,
    DistilBertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from export.errors import ExportError
from export.spec import FILES, Manifest
from export.starter.initial import MAX_POSITIONS, PADDING_ID
from export.starter.run import save
from export.version_folder import MANIFEST, TOKENIZER

# Of MiniLM, from whose weights the starter models were trained; the graph does not tell it.
HEADS = 12
Weights = dict[str, NDArray[np.float32]]


def restore(version: Path, out: Path) -> None:
    """Writes the checkpoint of the starter model in the folder `version`; ExportError where it is another model."""
    spec = Manifest.from_json((version / MANIFEST).read_text()).spec
    if not spec.source.startswith("undertone-starter-"):
        raise ExportError(f"{spec.title} is no starter model but {spec.source}: export that again")
    graph = onnx.load(version / FILES["fp32"]).graph
    weights = stored_weights(graph)
    model = _empty(spec.architecture, weights, spec.labels)
    state = {name: torch.from_numpy(np.array(value)) for name, value in _by_parameter(graph, weights).items()}
    if spec.architecture == "roberta":
        # Added to the positions before the training, and zero since.
        state.setdefault("roberta.embeddings.token_type_embeddings.weight", torch.zeros(1, model.config.hidden_size))
    missing, unexpected = model.load_state_dict(state, strict=False)
    if missing or unexpected:
        raise ExportError(f"{spec.title} is not whole: missing {missing}, unexpected {unexpected}")
    save(model, Tokenizer.from_file(str(version / TOKENIZER)), out)


def stored_weights(graph: Any) -> Weights:
    """The floating-point tensors of the graph; those that are stored as int8, as `Cast` and `Mul` bring them back."""
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    weights = {name: array for name, array in stored.items() if array.dtype == np.float32}
    for name, array in stored.items():
        tensor = name.removesuffix(".int8")
        if array.dtype == np.int8 and tensor != name:
            weights[tensor] = array.astype(np.float32) * weights.pop(f"{tensor}.scale")
    return weights


def _by_parameter(graph: Any, weights: Weights) -> Weights:
    """The weights by the names that they have in PyTorch.

    torch's exporter keeps those names, but for matrices that it transposes: of these, the product's output tells the
    layer (`/distilbert/transformer/layer.0/ffn/lin1/MatMul_output_0`).
    """
    found = {name: array for name, array in weights.items() if not name.startswith("onnx::")}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in weights:
            layer = node.output[0].rpartition("/")[0].strip("/").replace("/", ".")
            found[f"{layer}.weight"] = weights[node.input[1]].T
    return found


def _empty(architecture: str, weights: Weights, labels: tuple[str, ...]) -> Any:
    """A classifier of that shape."""
    vocabulary, hidden = weights[f"{architecture}.embeddings.word_embeddings.weight"].shape
    layers = len({name.split("layer.")[1].split(".")[0] for name in weights if "layer." in name})
    (intermediate,) = next(
        array.shape for name, array in weights.items() if name.endswith(("lin1.bias", "intermediate.dense.bias"))
    )
    names = {"id2label": dict(enumerate(labels)), "label2id": {label: number for number, label in enumerate(labels)}}
    if architecture == "distilbert":
        return DistilBertForSequenceClassification(
            DistilBertConfig(
                vocab_size=vocabulary,
                dim=hidden,
                n_layers=layers,
                n_heads=HEADS,
                hidden_dim=intermediate,
                max_position_embeddings=MAX_POSITIONS,
                pad_token_id=PADDING_ID,
                **names,
            )
        ).eval()
    return RobertaForSequenceClassification(
        RobertaConfig(
            vocab_size=vocabulary,
            hidden_size=hidden,
            num_hidden_layers=layers,
            num_attention_heads=HEADS,
            intermediate_size=intermediate,
            max_position_embeddings=MAX_POSITIONS + PADDING_ID + 1,
            type_vocab_size=1,
            layer_norm_eps=1e-12,
            pad_token_id=PADDING_ID,
            bos_token_id=2,
            eos_token_id=3,
            **names,
        )
    ).eval()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m export.starter.restore",
        description="Writes a starter model of the repository as a checkpoint, to export it for a GPU.",
        epilog="example:\n  python -m export.starter.restore sentiment .local/starter-sentiment",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=("sentiment", "emotion"))
    parser.add_argument("folder", type=Path, help="where the checkpoint is written")
    parser.add_argument("--repository", type=Path, default=Path("model_repository"), help="default: %(default)s")
    parser.add_argument("--version", type=int, default=1, help="default: %(default)s")
    arguments = parser.parse_args()
    try:
        restore(arguments.repository / arguments.name / str(arguments.version), arguments.folder)
    except (OSError, ExportError) as error:
        sys.exit(f"export.starter.restore: {error}")
    print(f"wrote {arguments.folder}")


if __name__ == "__main__":
    main()
