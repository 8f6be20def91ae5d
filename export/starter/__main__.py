"""`python -m export.starter`: trains the starter models and writes them into the model repository."""

import argparse
import json
import sys
from pathlib import Path

import torch

from export.starter.corpus import TASKS, Task
from export.starter.publish import publish
from export.starter.run import average_runs, checkpoint_scores, run_folder, train_run

EXAMPLES = """examples:
  python -m export.starter --data ../data                   both models, from data to model_repository/
  python -m export.starter --data ../data --task emotion    one of them
  python -m export.starter --data ../data --limit 2000 --repository /tmp/try     try the command out
Runs that are complete below --work are not trained again.
"""


def main() -> None:
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    try:
        for name in [arguments.task] if arguments.task else list(TASKS):
            make(TASKS[name], arguments)
    except (OSError, ValueError) as error:
        sys.exit(f"export.starter: {error}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m export.starter",
        description="Trains the starter models from MiniLM's weights and publishes them (about 25 minutes a run).",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the *.tsv.gz files")
    parser.add_argument("--task", choices=TASKS, help="only this model")
    parser.add_argument("--work", type=Path, default=Path(".local/starter"), help="folder of the checkpoints")
    parser.add_argument("--repository", type=Path, default=Path("model_repository"))
    parser.add_argument("--threads", type=int, default=1, help="1 is fastest where two trainings share two cores")
    parser.add_argument("--limit", type=int, help="train on this many posts only")
    return parser.parse_args()


def make(task: Task, arguments: argparse.Namespace) -> None:
    """One model: its runs, their mean, its scores, the published files."""
    for run in task.runs:
        if not (run_folder(arguments.work, task, run.seed) / "training.json").exists():
            print(f"{task.name}, seed {run.seed}: training", flush=True)
            train_run(task, run, arguments.data, arguments.work, arguments.limit)
    checkpoint = average_runs(task, arguments.work)
    print(f"{task.name}: checkpoint\n{json.dumps(checkpoint_scores(task, arguments.data, checkpoint), indent=2)}")
    print(f"{task.name}: published")
    publish(task, arguments.data, checkpoint, arguments.repository)


if __name__ == "__main__":
    main()
