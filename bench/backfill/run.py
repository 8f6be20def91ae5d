"""`python -m bench backfill`: `undertone backfill` beside ONNX Runtime alone, in turns, on the same texts and cores.

Alone means: a process for each core, the same inference package, every text in memory already, nothing read, written or
moved. The backfill is the whole command, from its start to its end; and once more with a tenth of the texts, since the
difference is what each further text costs.
"""

import gzip
import json
import os
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

from bench import posts
from bench.charts import Chart
from bench.models import model_set
from bench.options import Options
from bench.paths import PROJECT, RAY_PYTHON, WORK
from bench.progress import Progress
from bench.report import table
from bench.rival import Rival, started
from bench.rounds import interleave, ratio, summary
from bench.servers import scratch_folder
from services.local.cores import physical_cores

COUNT, QUICK_COUNT = 100_000, 2_000
ROUNDS = 3
# As `undertone backfill` has them unless it is told otherwise.
BLOCK_ROWS = 2_048
SHARE = 10
ALONE, WHOLE, PART = "ONNX Runtime alone", "backfill", "backfill of a tenth"


def measure(options: Options) -> dict[str, Any]:
    """Seconds of each alternative in every round, and what follows."""
    total = options.count or (QUICK_COUNT if options.quick else COUNT)
    rounds = options.rounds or (1 if options.quick else ROUNDS)
    size = options.size or "tiny"
    progress = Progress("backfill", 3 * rounds + 1)
    progress.step(f"{total:,} texts")
    models = model_set(size, progress.note)
    texts = posts.texts(options.posts, total)
    with scratch_folder("backfill") as folder, ExitStack() as stack:
        whole, part = (_archive(folder, texts[:each]) for each in (total, total // SHARE))
        cores = physical_cores()
        alone = [_alone(stack, models.repository, texts[number::cores]) for number in range(cores)]
        numbers = count()

        def run_alone() -> float:
            progress.step(ALONE)
            with ThreadPoolExecutor(len(alone)) as threads:
                return max(threads.map(lambda rival: float(rival.ask(do="score", rows=BLOCK_ROWS)["seconds"]), alone))

        def run_backfill(archive: Path) -> float:
            progress.step(f"backfill of {archive.name}")
            return _backfill(archive, folder / f"scored-{next(numbers)}", models.repository)

        seconds = interleave(
            {ALONE: run_alone, WHOLE: lambda: run_backfill(whole), PART: lambda: run_backfill(part)}, rounds
        )
    progress.done()
    further = [(all_of - some) / (1 - 1 / SHARE) for all_of, some in zip(seconds[WHOLE], seconds[PART], strict=True)]
    return {
        "count": total,
        "size": size,
        "seconds": seconds,
        "texts_per_s": {
            ALONE: summary([total / each for each in seconds[ALONE]]),
            WHOLE: summary([total / each for each in seconds[WHOLE]]),
            "backfill, each further text": summary([total / each for each in further]),
        },
        "ratio": {
            WHOLE: ratio(seconds[ALONE], seconds[WHOLE]),
            "backfill, each further text": ratio(seconds[ALONE], further),
        },
    }


def _archive(folder: Path, texts: Sequence[str]) -> Path:
    file = folder / f"{len(texts)}.jsonl.gz"
    lines = (json.dumps({"post_id": f"p{number}", "content": text}) for number, text in enumerate(texts))
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
    return file


def _alone(stack: ExitStack, repository: Path, texts: Sequence[str]) -> Rival:
    rival = stack.enter_context(started(RAY_PYTHON, "bench.backfill.alone", log=WORK / "processes.log"))
    rival.ask(do="prepare", repository=str(repository), texts=list(texts))
    return rival


def _backfill(archive: Path, output: Path, repository: Path) -> float:
    """Seconds of the whole command; CalledProcessError, with what it said, where it fails."""
    began = time.perf_counter()
    # Ray's processes stand back behind all others (nice 15), and what runs alone does not.
    environment = {**os.environ, "MODEL_REPOSITORY": str(repository), "RAY_worker_niceness": "0"}
    subprocess.run(
        [
            *(str(RAY_PYTHON), "-m", "services.cli", "backfill", str(archive), "--output", str(output)),
            *("--runtime", "onnxruntime", "--block-rows", str(BLOCK_ROWS)),
        ],
        cwd=PROJECT,
        env=environment,
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - began


def tables(results: dict[str, Any]) -> str:
    rows = [
        [name, speed["median"], speed["low"], speed["high"], results["ratio"].get(name, {}).get("median")]
        for name, speed in results["texts_per_s"].items()
    ]
    title = f"{results['count']:,} texts, {results['size']} models, {results['texts_per_s'][WHOLE]['rounds']} rounds:"
    return f"{title}\n\n{table(['', 'texts a second', 'lowest', 'highest', 'to the runtime alone'], rows)}"


def charts(results: dict[str, Any]) -> list[Chart]:
    del results  # the table says it all
    return []
