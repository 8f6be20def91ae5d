"""A trained starter checkpoint into `model_repository/<task>/`: ONNX, tokenizer, labels, card, configuration."""

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from export.starter.corpus import Task, read_examples
from export.starter.onnx_model import export_checkpoint
from export.starter.run import DEV_MAX_TOKENS
from export.starter.scores import scores
from export.starter.training import pad, tokenize

CARD = Path(__file__).parent / "card.md"
DEV_SET_NAMES = {"tweeteval": "TweetEval", "goemotions": "GoEmotions, one label"}


def publish(task: Task, data: Path, checkpoint: Path, repository: Path) -> None:
    """Writes the model's files; the version is 1, and the configurations learn the tokenizer's hash."""
    folder = repository / task.name
    export_checkpoint(checkpoint, folder / "1" / "model.onnx")
    shutil.copyfile(checkpoint / "tokenizer.json", folder / "tokenizer.json")
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in task.labels))
    sha256 = hashlib.sha256((folder / "tokenizer.json").read_bytes()).hexdigest()
    for config in (folder / "config.pbtxt", *sorted((folder / "configs").glob("*.pbtxt"))):
        text, count = re.subn(
            r'(key: "tokenizer_sha256"\s*value:? \{ string_value: ")[0-9a-f]{64}', rf"\g<1>{sha256}", config.read_text()
        )
        if count != 1:
            raise ValueError(f"{config} has {count} parameters tokenizer_sha256, expected one of 64 hexadecimal digits")
        config.write_text(text)
    report = json.loads((checkpoint / "training.json").read_text())
    results = onnx_scores(task, data, folder)
    (folder / "README.md").write_text(card(task, report, results, folder))
    print(json.dumps(results, indent=2))


def onnx_scores(task: Task, data: Path, folder: Path) -> dict[str, dict[str, float]]:
    """Scores of the published file itself, its weights rounded to int8, on each development set."""
    session = onnxruntime.InferenceSession(str(folder / "1" / "model.onnx"), providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    results = {}
    for name, file in task.dev:
        rows = read_examples(data, file, task.labels)
        tokens = tokenize(tokenizer, [e.text for e in rows], DEV_MAX_TOKENS)
        order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
        logits = np.empty((len(rows), len(task.labels)), np.float32)
        for start in range(0, len(order), 64):
            batch = order[start : start + 64]
            ids, mask = pad([tokens[i] for i in batch])
            inputs = {"input_ids": ids.numpy(), "attention_mask": mask.numpy()}
            logits[batch] = session.run(["logits"], inputs)[0]
        results[name] = scores(logits, rows, task.labels)
    return results


def card(task: Task, report: dict[str, Any], results: dict[str, dict[str, float]], folder: Path) -> str:
    """The model card: `card.md` with this model's facts filled in."""
    rows = "\n".join(
        f"| {DEV_SET_NAMES[name]} | {int(s['posts']):,} | {s['accuracy']:.3f} | {s['macro_f1']:.3f} | "
        f"{s['macro_recall']:.3f} |"
        for name, s in results.items()
    )
    hyper = report["hyperparameters"]
    facts = {
        "task": task.name,
        "architecture": {"distilbert": "DistilBERT", "roberta": "RoBERTa"}[task.architecture],
        "labels": ", ".join(task.labels),
        "training_files": ", ".join(f"`{name}`" for name in task.train),
        "training_posts": f"{report['training_posts']:,}",
        "epochs": hyper["epochs"],
        "learning_rate": hyper["learning_rate"],
        "batch_size": hyper["batch_size"],
        "runs": ", ".join(f"{run['share']:g} of seed {run['seed']}" for run in report["runs"]),
        "megabytes": f"{(folder / '1' / 'model.onnx').stat().st_size / 1e6:.1f}",
        "scores": rows,
    }
    text = CARD.read_text()
    for name, value in facts.items():
        text = text.replace("{" + name + "}", str(value))
    return text
