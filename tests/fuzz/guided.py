"""`python -m tests.fuzz.guided MODULE NAME --seconds N --folder F`: one target under atheris.

What is executed guides it. libFuzzer's own lines are the output; it ends with 0, or with another status at the first
finding, whose input it has written into the folder.
"""

import argparse
import hashlib
import sys
from pathlib import Path

import atheris

from tests.fuzz.catalogue import targets_of

INSTRUMENTED = ["services", "export", "mixed_lengths", "length_groups", "ort_batches", "remembered"]
# A finding as well: an input that takes longer, or a process that has grown beyond.
MAX_SECONDS_PER_INPUT = 20
MAX_MEMORY_MB = 2_048
MAX_INPUT_BYTES = 20_000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    parser.add_argument("name")
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    with atheris.instrument_imports(include=INSTRUMENTED):
        target = targets_of(arguments.module)[arguments.name]
    corpus = arguments.folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds:
        (corpus / f"seed-{hashlib.sha256(seed).hexdigest()[:16]}").write_bytes(seed)
    options = {
        "max_total_time": arguments.seconds,
        "artifact_prefix": f"{arguments.folder}/",
        "timeout": MAX_SECONDS_PER_INPUT,
        "rss_limit_mb": MAX_MEMORY_MB,
        "max_len": MAX_INPUT_BYTES,
        "print_final_stats": 1,
    }
    atheris.Setup([sys.argv[0], *(f"-{name}={value}" for name, value in options.items()), str(corpus)], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
