"""The steps from data to `model_repository/`: train once a seed, average, score, publish."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast

from export.starter import initial, vocabulary
from export.starter.corpus import Task, read_examples, training_texts
from export.starter.scores import scores
from export.starter.training import Hyperparameters, emoji_examples, predict, train

# The conversion is exact but for the order of floating-point sums.
EQUIVALENCE_TOLERANCE = 1e-4
DEV_MAX_TOKENS = 128
# Of the fresh head: the same for every run, so that runs of different order can be averaged.
INITIAL_SEED = 1


def train_run(task: Task, data: Path, out: Path, hyper: Hyperparameters, limit: int | None) -> None:
    """One training run: `out` gets the checkpoint and `training.json`."""
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

    examples = [e for name in task.train for e in read_examples(data, name, task.labels)]
    examples = examples[:limit] + emoji_examples(task.labels)
    train(model, tokenizer, task.labels, examples, hyper)
    save(model, tokenizer, out)
    report = {"hyperparameters": asdict(hyper), "training_posts": len(examples), "equivalence_of_start": difference}
    (out / "training.json").write_text(json.dumps(report, indent=2) + "\n")


def average_runs(runs: list[Path], out: Path) -> None:
    """The mean of the runs' weights, as one checkpoint.

    Runs from the same start lie in one valley, and the mean of their weights does better than either, at the cost of
    one (Wortsman et al. 2022, "Model soups").
    """
    models = [AutoModelForSequenceClassification.from_pretrained(run) for run in runs]
    states = [model.state_dict() for model in models]
    mean = {
        name: torch.stack([state[name] for state in states]).mean(0) if value.is_floating_point() else value
        for name, value in states[0].items()
    }
    models[0].load_state_dict(mean)
    save(models[0], Tokenizer.from_file(str(runs[0] / "tokenizer.json")), out)
    report = json.loads((runs[0] / "training.json").read_text())
    report["averaged_seeds"] = [
        json.loads((run / "training.json").read_text())["hyperparameters"]["seed"] for run in runs
    ]
    (out / "training.json").write_text(json.dumps(report, indent=2) + "\n")


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
