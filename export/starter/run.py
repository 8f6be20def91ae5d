"""The training runs, and what they score."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast

from export.starter import initial, vocabulary
from export.starter.corpus import Example, Run, Task, read_examples, training_texts
from export.starter.scores import scores
from export.starter.training import Hyperparameters, emoji_examples, predict, train

# The conversion is exact but for the order of floating-point sums.
EQUIVALENCE_TOLERANCE = 1e-4
DEV_MAX_TOKENS = 128
# Of the fresh head: the same for every run.
INITIAL_SEED = 1


def run_folder(work: Path, task: Task, seed: int) -> Path:
    return work / f"{task.name}-seed{seed}"


def train_run(task: Task, run: Run, data: Path, work: Path, limit: int | None) -> None:
    """One training run: `<work>/<task>-seed<n>` gets the checkpoint and `training.json`."""
    hyper = Hyperparameters(epochs=task.epochs, seed=run.seed)
    base = Tokenizer.from_file(str(initial.minilm_folder() / "tokenizer.json"))
    base.no_padding()
    base.no_truncation()
    texts = training_texts(data)
    words = vocabulary.build_vocabulary(base, texts)
    tokenizer = vocabulary.build_tokenizer(base, words)

    torch.manual_seed(INITIAL_SEED)
    bert = initial.load_minilm()
    sample = [encoding.ids[:64] for encoding in base.encode_batch(texts[:48])]
    difference = initial.check_equivalence(task.architecture, bert, sample)
    if difference > EQUIVALENCE_TOLERANCE:
        raise ValueError(f"{task.architecture} differs from MiniLM by {difference:.1e} before training")
    model = initial.initial_model(task.architecture, bert, initial.embedding_rows(bert, words), task.labels)

    examples = [e for name in (*task.train, *run.repeated) for e in read_examples(data, name, task.labels)]
    examples = examples[:limit] + emoji_examples(task.labels)
    teachers = [run_folder(work, task, seed) for seed in run.teachers]
    taught = mean_probabilities(teachers, examples) if teachers else None
    train(model, tokenizer, task.labels, examples, hyper, taught=taught)
    out = run_folder(work, task, run.seed)
    save(model, tokenizer, out)
    report = {
        "repeated": run.repeated,
        "hyperparameters": asdict(hyper),
        "training_posts": len(examples),
        "equivalence_of_start": difference,
    }
    (out / "training.json").write_text(json.dumps(report, indent=2) + "\n")


def mean_probabilities(checkpoints: Sequence[Path], examples: Sequence[Example]) -> torch.Tensor:
    """What the teachers say of each training post, `[examples, labels]`.

    Several runs together err less than any of them; a run that learns from them keeps most of that (Hinton, Vinyals
    and Dean 2015, "Distilling the knowledge in a neural network").
    """
    total = 0
    for checkpoint in checkpoints:
        model = AutoModelForSequenceClassification.from_pretrained(checkpoint)
        tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
        logits = predict(model, tokenizer, [e.text for e in examples], Hyperparameters.max_tokens)
        total = total + torch.softmax(torch.from_numpy(logits), -1)
    return total / len(checkpoints)


def checkpoint_scores(task: Task, data: Path, checkpoint: Path) -> dict[str, dict[str, float]]:
    """Scores on each development set, in fp32."""
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint)
    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    results = {}
    for name, file in task.dev:
        rows = read_examples(data, file, task.labels)
        logits = predict(model, tokenizer, [e.text for e in rows], DEV_MAX_TOKENS)
        results[name] = scores(logits, rows, task.labels)
    return results


def save(model: Any, tokenizer: Tokenizer, out: Path) -> None:
    """Model, configuration and the generic fast tokenizer (the architecture's own class would undo lower-casing)."""
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=initial.MAX_POSITIONS,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_input_names=["input_ids", "attention_mask"],
    )
    fast.save_pretrained(out)
