"""A trained starter checkpoint into the model repository: ONNX, tokenizer, labels, card, configurations."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from export.repository import Repository
from export.spec import FILES, ModelSpec, lengths_up_to
from export.starter.corpus import Task, read_examples
from export.starter.initial import MAX_POSITIONS
from export.starter.onnx_model import export_checkpoint
from export.starter.run import DEV_MAX_TOKENS
from export.starter.scores import scores
from export.starter.training import pad, tokenize
from export.version_folder import CARD, TOKENIZER, facts_of, write_version

CARD_TEMPLATE = Path(__file__).parent / "card.md"
DEV_SET_NAMES = {"tweeteval": "TweetEval", "goemotions": "GoEmotions, one label"}


def publish(task: Task, data: Path, checkpoint: Path, repository: Path) -> None:
    """Publishes the next version of the model, the first one in an empty repository."""
    with Repository(repository).new_version(task.name) as folder:
        export_checkpoint(checkpoint, folder / FILES["fp32"])
        shutil.copyfile(checkpoint / TOKENIZER, folder / TOKENIZER)
        report = json.loads((checkpoint / "training.json").read_text())
        results = onnx_scores(task, data, folder)
        (folder / CARD).write_text(card(task, report, results, folder))
        spec = ModelSpec(
            name=task.name,
            version=int(folder.name),
            source=f"undertone-starter-{task.name}",
            revision=folder.name,
            architecture=task.architecture,
            labels=task.labels,
            activation="softmax",
            max_tokens=MAX_POSITIONS,
            lengths=lengths_up_to(MAX_POSITIONS),
            tokenizer_sha256=facts_of(folder / TOKENIZER).sha256,
            precisions=("fp32",),
        )
        write_version(folder, spec)
    print(json.dumps(results, indent=2))


def onnx_scores(task: Task, data: Path, folder: Path) -> dict[str, dict[str, float]]:
    """Scores of the published file itself, its weights rounded to int8, on each development set."""
    session = onnxruntime.InferenceSession(str(folder / FILES["fp32"]), providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
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
        "megabytes": f"{(folder / FILES['fp32']).stat().st_size / 1e6:.1f}",
        "scores": rows,
    }
    text = CARD_TEMPLATE.read_text()
    for name, value in facts.items():
        text = text.replace("{" + name + "}", str(value))
    return text
