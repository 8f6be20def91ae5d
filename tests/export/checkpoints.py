"""Checkpoints with random weights and real tokenizers, made anew for each test session: nothing is downloaded."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    DistilBertConfig,
    DistilBertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

SENTIMENT = ("negative", "neutral", "positive")
EMOTIONS = tuple(f"emotion {number}" for number in range(28))
VOCABULARY = 500
# Wider than BERT's 0.02: with two small layers, logits would hardly differ between texts.
WEIGHT_DEVIATION = 0.15

SENTENCES = (
    "What a wonderful morning, the sun is out and everyone smiles at each other!",
    "The train was late again and nobody told us why, so I missed the whole meeting.",
    "I am not sure what to think about the new phone, the camera is fine and the battery is not.",
    "Worst support I have ever had: forty minutes on hold and then they hung up on me.",
    "My daughter read her first book today, I could not be prouder.",
    "They moved the match to Sunday, doors open at seven.",
    "Honestly scared of the storm tonight, stay safe out there everybody.",
    "This update broke everything, please give us the old version back...",
    "Thank you @user for the kind words, it means a lot to me and my team :)",
    "Is there any place in town that still sells good bread for less than five euros?",
    "The soup was cold, the waiter was rude, and we paid sixty for it. Never again.",
    "Grandma turned ninety and danced until midnight, what a night, what a woman!",
)


def make_distilbert(folder: Path, labels: Sequence[str] = SENTIMENT, *, layers: int = 2, **settings: Any) -> Path:
    """A small DistilBERT with WordPiece. `settings` go into the configuration as they are."""
    tokenizer = wordpiece()
    config = DistilBertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        dim=64,
        n_layers=layers,
        n_heads=4,
        hidden_dim=128,
        max_position_embeddings=128,
        initializer_range=WEIGHT_DEVIATION,
        **names(labels),
        **settings,
    )
    return save(folder, DistilBertForSequenceClassification, config, tokenizer)


def make_roberta(
    folder: Path, labels: Sequence[str] = EMOTIONS, *, multi_label: bool = True, layers: int = 2, **settings: Any
) -> Path:
    """A small RoBERTa with byte-level BPE; as published ones do, it pads with id 1 and counts positions from 2."""
    tokenizer = byte_level_bpe()
    config = RobertaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=64,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=130,
        type_vocab_size=1,
        initializer_range=WEIGHT_DEVIATION,
        problem_type="multi_label_classification" if multi_label else None,
        **names(labels),
        **settings,
    )
    return save(folder, RobertaForSequenceClassification, config, tokenizer)


def make_distilbert_base(folder: Path, labels: Sequence[str] = SENTIMENT) -> Path:
    """DistilBERT-base in its real size, 6 layers of 768."""
    config = DistilBertConfig(**names(labels))
    return save(folder, DistilBertForSequenceClassification, config, wordpiece())


def make_roberta_base(folder: Path, labels: Sequence[str] = EMOTIONS) -> Path:
    """RoBERTa-base in its real size, 12 layers of 768."""
    config = RobertaConfig(
        vocab_size=50_265,
        max_position_embeddings=514,
        type_vocab_size=1,
        problem_type="multi_label_classification",
        **names(labels),
    )
    return save(folder, RobertaForSequenceClassification, config, byte_level_bpe())


def names(labels: Sequence[str]) -> dict[str, Any]:
    return {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}


def save(folder: Path, architecture: Any, config: Any, tokenizer: Tokenizer) -> Path:
    """Always the same weights for the same configuration. Biases and norms are random, too: at their initial 0 and 1 an
    export that loses them would go unnoticed.
    """
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = architecture(config).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim == 1:
                    parameter.add_(torch.randn_like(parameter) * 0.05)
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def wordpiece() -> Tokenizer:
    """All words of SENTENCES and all ASCII characters. Not trained: WordPiece's trainer breaks ties at random."""
    normalizer, split = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    words = {word for text in SENTENCES for word, _ in split.pre_tokenize_str(normalizer.normalize_str(text))}
    characters = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    pieces = [f"##{character}" for character in characters if character.isalnum()]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokens = dict.fromkeys([*special, *characters, *pieces, *sorted(words)])
    tokenizer = Tokenizer(models.WordPiece({token: i for i, token in enumerate(tokens)}, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, split
    tokenizer.add_special_tokens(special)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def byte_level_bpe() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer
