"""The training runs, and what they score."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast

from export.starter import initial, vocabulary
from export.starter.corpus import Run, Task, read_examples, training_texts
from export.starter.scores import scores
from export.starter.training import Hyperparameters, emoji_examples, predict, train

# The conversion is exact but for the order of floating-point sums.
EQUIVALENCE_TOLERANCE = 1e-4
DEV_MAX_TOKENS = 128
# Of the fresh head: the same for every run, so that their weights can be averaged.
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
    train(model, tokenizer, task.labels, examples, hyper)
    out = run_folder(work, task, run.seed)
    save(model, tokenizer, out)
    report = {
        "repeated": run.repeated,
        "hyperparameters": asdict(hyper),
        "training_posts": len(examples),
        "equivalence_of_start": difference,
    }
    (out / "training.json").write_text(json.dumps(report, indent=2) + "\n")


def average_runs(task: Task, work: Path) -> Path:
    """The mean of the runs' weights, by their shares, as the checkpoint `<work>/<task>`.

    Runs from the same start lie in one valley, and a mean of their weights can do better than each of them, at the cost
    of one (Wortsman et al. 2022, "Model soups"). It did for emotion; for sentiment one run alone did better.
    """
    folders = [run_folder(work, task, run.seed) for run in task.runs]
    models = [AutoModelForSequenceClassification.from_pretrained(folder) for folder in folders]  # nosec B615 # a folder
    states = [model.state_dict() for model in models]
    mean = {
        name: sum(run.share * state[name] for run, state in zip(task.runs, states, strict=True))
        if value.is_floating_point()
        else value
        for name, value in states[0].items()
    }
    models[0].load_state_dict(mean)
    out = work / task.name
    save(models[0], Tokenizer.from_file(str(folders[0] / "tokenizer.json")), out)
    report = json.loads((folders[0] / "training.json").read_text()) | {"runs": [asdict(run) for run in task.runs]}
    (out / "training.json").write_text(json.dumps(report, indent=2) + "\n")
    return out


def checkpoint_scores(task: Task, data: Path, checkpoint: Path) -> dict[str, dict[str, float]]:
    """Scores on each development set, in fp32."""
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint)  # nosec B615 # a folder
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
        unk_token="[UNK]",  # nosec B106 # a token of text
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_input_names=["input_ids", "attention_mask"],
    )
    fast.save_pretrained(out)
