"""`python -m tests.chaos.ingester`: the ingester, over all files of a folder, one after the other.

Started again it goes on with the file that it had not finished: from its beginning, as the ingester does.
"""

import argparse
import asyncio
import sys

from services.common.lifecycle import run_service
from services.common.settings import Settings
from services.ingester.__main__ import main
from services.ingester.arguments import parse

# The supervisor starts again what has not finished.
STOPPED_EARLY = 3


def run() -> int:
    """0 when every file has been published."""
    arguments = parse()
    left = False

    async def publish(settings: Settings, stopping: asyncio.Event) -> None:
        nonlocal left
        for file in sorted(arguments.file.parent.glob("*.jsonl")):
            published = file.with_suffix(".published")
            if not published.exists():
                await main(argparse.Namespace(**{**vars(arguments), "file": file}), settings, stopping)
                left = stopping.is_set()
                if left:
                    return
                published.touch()

    run_service("ingester", publish)
    return STOPPED_EARLY if left else 0


if __name__ == "__main__":
    sys.exit(run())
