"""What one backfill is asked to do."""

from dataclasses import dataclass
from typing import Any

from services.archives.columns import Columns
from services.archives.inputs import Input
from services.common.settings import Settings


@dataclass(frozen=True)
class Order:
    """`dsn`: of the database that posts are stored in; empty: in none. `in_process`: without Triton.

    `block_rows`: records of a block. `threads`: that one process computes with, where it is in process.
    """

    settings: Settings
    inputs: tuple[Input, ...]
    columns: Columns
    output: str
    dsn: str
    in_process: bool
    block_rows: int
    threads: int = 1

    def options(self, models: dict[str, int]) -> dict[str, Any]:
        """What decides over the results: who goes on with them has to ask for the same. `models`: their versions."""
        return {
            "inputs": [{"url": each.url, "bytes": each.size, "stamp": each.stamp} for each in self.inputs],
            "columns": dict(self.columns.named),
            "source": self.columns.source,
            "block_rows": self.block_rows,
            "postgres": bool(self.dsn),
            "neutral_below": self.settings.neutral_below,
            "models": models,
        }
