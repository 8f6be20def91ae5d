"""`python -m bench.rivals.checkpoint RECIPE FOLDER`: a checkpoint with random weights, always the same ones.

RECIPE is JSON: architecture, labels, layers, hidden, heads, intermediate, vocabulary, tokenizer (a tokenizer.json). The
time that a model takes depends on its shape, not on its weights; what it answers is of no use to anybody.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import (
    DistilBertConfig,
    DistilBertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

MAX_TOKENS = 512
# The ids of [PAD], [CLS] and [SEP] in the tokenizers of the starter models.
PAD, BEGIN, END = 0, 2, 3
# Wider than BERT's 0.02, at which the logits of random models hardly differ between texts.
WEIGHT_DEVIATION = 0.05
# A clear likeliest label: with random logits it would hang on the last digits, and int8 would pass no gate.
FIRST_LABEL_BIAS = 4.0


def model_of(recipe: dict[str, Any]) -> Any:
    labels = recipe["labels"]
    common = {
        "vocab_size": recipe["vocabulary"],
        "initializer_range": WEIGHT_DEVIATION,
        "pad_token_id": PAD,
        "id2label": dict(enumerate(labels)),
        "label2id": {label: number for number, label in enumerate(labels)},
    }
    if recipe["architecture"] == "distilbert":
        return DistilBertForSequenceClassification(
            DistilBertConfig(
                dim=recipe["hidden"],
                n_layers=recipe["layers"],
                n_heads=recipe["heads"],
                hidden_dim=recipe["intermediate"],
                max_position_embeddings=MAX_TOKENS,
                **common,
            )
        )
    return RobertaForSequenceClassification(
        RobertaConfig(
            hidden_size=recipe["hidden"],
            num_hidden_layers=recipe["layers"],
            num_attention_heads=recipe["heads"],
            intermediate_size=recipe["intermediate"],
            # Positions count from the padding's id on.
            max_position_embeddings=MAX_TOKENS + PAD + 1,
            type_vocab_size=1,
            bos_token_id=BEGIN,
            eos_token_id=END,
            **common,
        )
    )


def main() -> None:
    recipe, folder = json.loads(sys.argv[1]), Path(sys.argv[2])
    torch.manual_seed(7)
    model = model_of(recipe).eval()
    last = model.classifier if recipe["architecture"] == "distilbert" else model.classifier.out_proj
    with torch.no_grad():
        last.bias[0] += FIRST_LABEL_BIAS
    model.save_pretrained(folder)
    shutil.copyfile(recipe["tokenizer"], folder / "tokenizer.json")
    # Without it, transformers would take the architecture's own special tokens.
    (folder / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "model_max_length": MAX_TOKENS,
                "pad_token": "[PAD]",
                "unk_token": "[UNK]",
                "cls_token": "[CLS]",
                "sep_token": "[SEP]",
                "mask_token": "[MASK]",
                "model_input_names": ["input_ids", "attention_mask"],
            }
        )
    )


if __name__ == "__main__":
    main()
