"""`python -m tests.integration.dying_worker`: a worker that is killed by some texts, as by a bug below Python.

The texts are those that contain DEADLY.
"""

import os
import signal
from collections.abc import Sequence

from services.common.lifecycle import run_service
from services.common.messages import Analysis
from services.inference.analyzer import Analyzer, Course
from services.worker.__main__ import main

DEADLY = "deadly"
_analyse = Analyzer.analyse_timed


async def analyse(self: Analyzer, texts: Sequence[str]) -> tuple[list[Analysis], Course]:
    if any(DEADLY in text for text in texts):
        os.kill(os.getpid(), signal.SIGKILL)
    return await _analyse(self, texts)


if __name__ == "__main__":
    Analyzer.analyse_timed = analyse  # type: ignore[method-assign] # this is what it is for
    run_service("worker", main)
