"""Fine-tuning: one loop for both starter models, on one CPU thread, reproducible for a seed."""

import math
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from tqdm import tqdm

from export.starter.corpus import SENTIMENT_LABELS, Example

EMOJI_FILE = Path(__file__).parent / "emoji.tsv"
EMOJI_REPEATS = 4
LOG_EVERY_STEPS = 100


@dataclass(frozen=True)
class Hyperparameters:
    """AdamW with linear decay; the values reached the scores of the model cards."""

    epochs: int
    seed: int = 1
    learning_rate: float = 1.5e-4
    weight_decay: float = 0.01
    warmup_fraction: float = 0.06
    batch_size: int = 64
    max_tokens: int = 64
    class_weight_exponent: float = -0.5
    gradient_clip: float = 1.0
    # Batches of like length are cut from chunks of this many batches, so that order stays random and padding small.
    batches_per_chunk: int = 60


def emoji_examples(labels: tuple[str, ...]) -> list[Example]:
    """Lone emoji, one to three times in a row: posts that the corpora hardly have and people often write."""
    column = 1 if labels == SENTIMENT_LABELS else 2
    rows = [line.split("\t") for line in EMOJI_FILE.read_text("utf-8").splitlines()]
    return [Example(row[0] * times, (row[column],)) for row in rows for times in (1, 2, 3)] * EMOJI_REPEATS


def train(
    model: Any,
    tokenizer: Tokenizer,
    labels: tuple[str, ...],
    examples: Sequence[Example],
    hyper: Hyperparameters,
) -> None:
    """Trains `model` in place. A post with several labels is a soft target, shared equally among them."""
    torch.manual_seed(hyper.seed)
    shuffle = random.Random(hyper.seed)
    tokens = tokenize(tokenizer, [e.text for e in examples], hyper.max_tokens)
    targets = soft_targets(examples, labels)
    targets = targets * class_weights(targets, hyper.class_weight_exponent)
    steps = math.ceil(len(examples) / hyper.batch_size) * hyper.epochs
    optimizer = torch.optim.AdamW(parameter_groups(model, hyper), lr=hyper.learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: linear_decay(step, steps, hyper))
    batches = (b for _ in range(hyper.epochs) for b in batches_by_length(tokens, hyper, shuffle))
    model.train()
    losses: list[float] = []
    started = time.monotonic()
    progress = tqdm(batches, total=steps, unit="batch", disable=not sys.stderr.isatty())
    for step, batch in enumerate(progress, 1):
        ids, mask = pad([tokens[i] for i in batch])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(input_ids=ids, attention_mask=mask).logits
        log_probabilities = torch.log_softmax(logits.float(), -1)
        loss = -(targets[batch] * log_probabilities).sum(-1).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), hyper.gradient_clip)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        losses.append(loss.item())
        if step % LOG_EVERY_STEPS == 0:
            recent = float(np.mean(losses[-LOG_EVERY_STEPS:]))
            progress.set_postfix(loss=f"{recent:.3f}")
            if not sys.stderr.isatty():
                rate = step * hyper.batch_size / (time.monotonic() - started)
                print(f"step {step}/{steps}: loss {recent:.3f}, {rate:.0f} posts/s", flush=True)
    model.eval()


@torch.inference_mode()
def predict(model: Any, tokenizer: Tokenizer, texts: Sequence[str], max_tokens: int) -> np.ndarray[Any, Any]:
    """Logits `[texts, labels]` in fp32, in batches of like length."""
    model.eval()
    tokens = tokenize(tokenizer, texts, max_tokens)
    order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
    logits = np.zeros((len(tokens), model.config.num_labels), np.float32)
    for start in range(0, len(order), 128):
        rows = order[start : start + 128]
        ids, mask = pad([tokens[i] for i in rows])
        logits[rows] = model(input_ids=ids, attention_mask=mask).logits.numpy()
    return logits


def tokenize(tokenizer: Tokenizer, texts: Sequence[str], max_tokens: int) -> list[list[int]]:
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    tokens = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
    tokenizer.no_truncation()
    return tokens


def pad(rows: Sequence[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and mask, `[rows, longest]`, padded right with 0."""
    width = max(map(len, rows))
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask = torch.zeros(len(rows), width, dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
        mask[i, : len(row)] = 1
    return ids, mask


def soft_targets(examples: Sequence[Example], labels: tuple[str, ...]) -> torch.Tensor:
    index = {label: i for i, label in enumerate(labels)}
    targets = torch.zeros(len(examples), len(labels))
    for i, example in enumerate(examples):
        targets[i, [index[label] for label in example.labels]] = 1 / len(example.labels)
    return targets


def class_weights(targets: torch.Tensor, exponent: float) -> torch.Tensor:
    """frequency^exponent, scaled so that the mean weight of a post is 1."""
    frequency = targets.mean(0)
    weights = frequency**exponent
    return weights / (weights * frequency).sum()


def linear_decay(step: int, steps: int, hyper: Hyperparameters) -> float:
    warm = (step + 1) / (hyper.warmup_fraction * steps)
    decay = (steps - step) / ((1 - hyper.warmup_fraction) * steps)
    return min(warm, max(0.0, decay))


def parameter_groups(model: Any, hyper: Hyperparameters) -> list[dict[str, Any]]:
    """Biases and layer norms are not decayed (the usual practice since BERT)."""
    plain: list[Any] = []
    decayed: list[Any] = []
    for name, parameter in model.named_parameters():
        undecayed = name.endswith("bias") or "LayerNorm" in name or "layer_norm" in name
        (plain if undecayed else decayed).append(parameter)
    return [{"params": decayed, "weight_decay": hyper.weight_decay}, {"params": plain, "weight_decay": 0.0}]


def batches_by_length(
    tokens: Sequence[list[int]], hyper: Hyperparameters, shuffle: random.Random
) -> Iterator[list[int]]:
    """One epoch of row numbers."""
    order = list(range(len(tokens)))
    shuffle.shuffle(order)
    chunk = hyper.batch_size * hyper.batches_per_chunk
    batches = []
    for start in range(0, len(order), chunk):
        rows = sorted(order[start : start + chunk], key=lambda i: len(tokens[i]))
        batches += [rows[i : i + hyper.batch_size] for i in range(0, len(rows), hyper.batch_size)]
    shuffle.shuffle(batches)
    yield from batches
