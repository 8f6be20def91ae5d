"""The blocks through Ray Data: some processes read files, others score, and little of it is in memory at a time.

What is read travels as one row a block, since blocks are what is done or not done; Ray never cuts or joins them.
"""

import asyncio
import logging
import os
import tempfile
import warnings
from collections.abc import Generator, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import ray
import ray.data
from numpy.typing import NDArray

import services
from services.archives.columns import Columns
from services.archives.inputs import Input
from services.archives.reading import Block, blocks
from services.backfill.onnx_runtime import open_in_process
from services.backfill.order import Order
from services.backfill.output import Output, Summary
from services.backfill.scoring import Scorer, open_scorer
from services.common.errors import ConfigurationError, UndertoneError
from services.common.logging import configure_logging
from services.inference.analyzer import open_analyzer

# A row of Ray's: one value, encoded.
Row = dict[str, NDArray[Any]]

# Cores, as Ray counts them: with a scorer for each there is room for those who read, who have little to do.
SCORER_CPUS, READER_CPUS = 0.8, 0.2
SCORERS_PER_READER = 8
# Blocks that each scorer has: the one in work, and the next.
BLOCKS_PER_SCORER = 2
# What travels: where that is full, reading waits. More than all blocks that may be under way on one machine.
OBJECT_STORE_BYTES = 512 * 1024 * 1024
# Every row is a block of Ray's own, too, and moves on alone.
RAY_BLOCK_BYTES = 1
MAX_READ_TASKS = 1_000


class _ToRead(msgspec.Struct):
    """`finished`: blocks that are there; `whole`: these are all."""

    number: int
    file: Input
    finished: frozenset[int]
    whole: bool


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Ray on this machine alone, gone afterwards, or the cluster there. ConfigurationError if it cannot be used."""
    with ExitStack() as stack:
        options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": True}
        if address:
            # The nodes have the libraries; the code is the one that runs here.
            options |= {"address": address, "runtime_env": {"py_modules": [str(Path(services.__file__).parent)]}}
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="undertone-", ignore_cleanup_errors=True))
            options |= {
                "address": "local",
                "include_dashboard": False,
                "object_store_memory": OBJECT_STORE_BYTES,
                "_node_ip_address": "127.0.0.1",
                "_temp_dir": folder,
            }
        try:
            ray.init(**options)
        except (ConnectionError, ValueError, RuntimeError) as error:
            where = f"the Ray cluster at {address}" if address else "Ray"
            raise ConfigurationError(f"{where} cannot be used: {error}") from None
        try:
            yield
        finally:
            ray.shutdown()


def cores() -> int:
    """Of all machines."""
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def summaries(order: Order, finished: Mapping[int, frozenset[int]], scorers: int) -> Generator[Summary, None, None]:
    """What came of each block, as they are done; those that were finished before among them.

    UndertoneError with the sentence of whatever failed, wherever that was.
    """
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    # That one file keeps one reader busy is no fault: blocks are what scorers share.
    warnings.filterwarnings("ignore", "The minimum number of concurrent actors", UserWarning)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.target_max_block_size = RAY_BLOCK_BYTES
    context.target_min_block_size = RAY_BLOCK_BYTES
    output = Output(order.output)
    to_read = []
    for number, file in enumerate(order.inputs):
        there = finished.get(number, frozenset())
        to_read.append(_packed(_ToRead(number, file, there, output.is_whole(number, there))))
    results = (
        ray.data.from_items(
            [{"packed": each} for each in to_read], override_num_blocks=min(len(to_read), MAX_READ_TASKS)
        )
        .map_batches(
            _read,
            batch_size=1,
            fn_kwargs={"columns": order.columns, "block_rows": order.block_rows},
            num_cpus=READER_CPUS,
            concurrency=min(len(to_read), 1 + scorers // SCORERS_PER_READER),
        )
        .map_batches(
            _Score,
            batch_size=1,
            fn_constructor_kwargs={"order": replace(order, inputs=())},
            num_cpus=SCORER_CPUS,
            compute=ray.data.ActorPoolStrategy(size=scorers, max_tasks_in_flight_per_actor=BLOCKS_PER_SCORER),
        )
    )
    try:
        for row in results.iter_rows():
            yield msgspec.msgpack.decode(row["packed"], type=Summary)
    except ray.exceptions.RayError as error:
        raise _ours(error) from error


def _read(row: Row, columns: Columns, block_rows: int) -> Iterator[Row]:
    asked = msgspec.msgpack.decode(row["packed"][0], type=_ToRead)
    for block in blocks(asked.file, asked.number, columns, rows=block_rows, finished=asked.finished, whole=asked.whole):
        yield _row(block)


class _Score:
    """A process with both models, or with its connection to Triton."""

    def __init__(self, order: Order) -> None:
        configure_logging("backfill", "WARNING", "text")
        if order.in_process:
            # Tokenization, too: the other cores have processes of their own.
            os.environ["RAYON_NUM_THREADS"] = str(order.threads)
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._scorer = self._runner.run(self._open(order))

    async def _open(self, order: Order) -> Scorer:
        opened = open_in_process(order.settings, order.threads) if order.in_process else open_analyzer(order.settings)
        analyzer = await self._stack.enter_async_context(opened)
        scorer = open_scorer(analyzer, Output(order.output), order.dsn, shares_sessions=order.settings.shares_sessions)
        return await self._stack.enter_async_context(scorer)

    def __call__(self, row: Row) -> Row:
        block = msgspec.msgpack.decode(row["packed"][0], type=Block)
        return _row(self._runner.run(self._scorer.score(block)))


def _packed(value: msgspec.Struct) -> bytes:
    return msgspec.msgpack.encode(value)


def _row(value: msgspec.Struct) -> Row:
    return {"packed": np.array([_packed(value)], dtype=object)}


def _ours(error: BaseException) -> UndertoneError:
    """The error that a process raised, out of what Ray makes of it."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is None or each in seen:
            continue
        if isinstance(each, UndertoneError):
            return each
        seen.append(each)
        waiting += [getattr(each, "cause", None), each.__cause__, each.__context__]
    return UndertoneError(f"Ray: {str(seen[-1]).strip() or type(seen[-1]).__name__}")
