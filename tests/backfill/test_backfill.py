"""`undertone backfill` as a process, with real models: whatever is killed, every text is there in the end, and once."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest
from pyarrow import parquet

from tests.conftest import ROOT
from tests.system import alive
from tests.unit.archives.files import rows, write
from tests.waiting import eventually

# Against hanging: a quiet machine needs half a minute for the longest.
pytestmark = pytest.mark.timeout(1_200)
TEXTS = 2_000
END_TIMEOUT_S = 400.0


class Backfill:
    """A process, and what it has said."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self.process = process
        self._folder = folder

    @property
    def said(self) -> str:
        return (self._folder / "said").read_text(errors="replace")

    def processes(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def scorers(self) -> list[psutil.Process]:
        return [each for each in alive(self.processes()) if "_Score" in " ".join(each.cmdline())]

    async def blocks(self, count: int) -> None:
        """Returns when so many are finished; AssertionError if it ends before."""

        async def are_there() -> bool:
            assert self.process.returncode is None, self.said
            return len(list(self._folder.rglob("*.parquet"))) >= count

        await eventually(are_there, f"{count} blocks are finished; {self.said}", END_TIMEOUT_S)

    async def end(self, number: signal.Signals | None = None) -> int:
        """Its exit status; afterwards none of its processes is left.

        Of one that is killed, two agents of Ray's wait a minute or two for its other parts before they end. They do
        nothing meanwhile, and nobody waits for them here.
        """
        processes = self.processes()
        agents = [
            each
            for each in alive(processes)
            if each.cmdline()[:1] in (["ray::DashboardAgent"], ["ray::RuntimeEnvAgent"])
        ]
        if number is not None:
            self.process.send_signal(number)
        status = await asyncio.wait_for(self.process.wait(), END_TIMEOUT_S)
        if number == signal.SIGKILL:
            for agent in alive(agents):
                agent.kill()

        async def are_gone() -> bool:
            return not alive(processes)

        await eventually(are_gone, "no process is left")
        return status


@asynccontextmanager
async def backfill(
    folder: Path, paths: Sequence[Path], *arguments: str, settings: Mapping[str, str] | None = None
) -> AsyncIterator[Backfill]:
    """`undertone backfill` into `folder`/scored."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    # Ray's processes stand back behind all others (nice 15), and would not get far on a busy machine.
    environment |= {"RAY_worker_niceness": "0"}
    environment |= {"PYTHONPATH": str(ROOT), "MODEL_REPOSITORY": str(ROOT / "model_repository"), **(settings or {})}
    folder.mkdir(exist_ok=True)
    with (folder / "said").open("ab") as said:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "services.cli", "backfill", *map(str, paths), "--output", str(folder / "scored"), *arguments),
            cwd=folder,
            env=environment,
            stdout=said,
            stderr=said,
        )
    try:
        yield Backfill(process, folder)
    finally:
        if process.returncode is None:
            for each in alive(psutil.Process(process.pid).children(recursive=True)):
                each.kill()
            process.kill()
            await process.wait()


IN_PROCESS = ("--runtime", "onnxruntime", "--block-rows", "100")


def ids(folder: Path) -> list[str]:
    found: list[str] = parquet.read_table(folder / "scored" / "results")["post_id"].to_pylist()
    return found


def archive(folder: Path, count: int) -> list[Path]:
    """`count` posts in two files, and three records that are none."""
    posts = [{**row, "source": "archive", "created_at": "2020-01-01"} for row in rows(count)]
    half = count // 2
    return [
        write(folder / "a.jsonl.gz", [*posts[:half], {"post_id": "x"}, {"content": " "}]),
        write(folder / "b.parquet", [*posts[half:], {**posts[0], "post_id": "y" * 256}]),
    ]


async def test_killed_twice_it_ends_complete_and_without_doubles(tmp_path: Path, database_url: str) -> None:
    """The driver is killed, and in the second run a process that scores."""
    files = archive(tmp_path, TEXTS)
    settings = {"DATABASE_URL": database_url}
    asked = (*IN_PROCESS, "--postgres")
    async with backfill(tmp_path / "run", files, *asked, settings=settings) as first:
        await first.blocks(4)
        assert await first.end(signal.SIGKILL) == -signal.SIGKILL
    async with backfill(tmp_path / "run", files, *asked, settings=settings) as second:
        done = len(list((tmp_path / "run").rglob("*.parquet")))
        await second.blocks(done + 4)
        second.scorers()[0].kill()
        assert await second.end() == 1, second.said
        assert f"{TEXTS:,} posts are scored" in second.said
        assert "3 records were refused" in second.said

    found = ids(tmp_path / "run")
    assert len(found) == len(set(found)) == TEXTS
    connection = await asyncpg.connect(database_url)
    try:
        assert await connection.fetchval("SELECT count(*) FROM social_media_posts") == TEXTS
        assert await connection.fetchval("SELECT count(*) FROM sentiment_analysis") == TEXTS
        assert await connection.fetchval("SELECT sum(posts) FROM sentiment_minutes") == TEXTS
    finally:
        await connection.close()

    async with backfill(tmp_path / "run", files, *asked, "--block-rows", "200", settings=settings) as other:
        assert await other.end() == 2
        assert "other options (block_rows: 100, now 200)" in other.said


async def test_ctrl_c_stops_it_and_the_same_command_goes_on(tmp_path: Path) -> None:
    files = archive(tmp_path, TEXTS)
    async with backfill(tmp_path / "run", files, *IN_PROCESS) as stopped:
        await stopped.blocks(4)
        listening = [
            connection.laddr.ip
            for each in stopped.processes()
            for connection in each.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        ]
        assert listening
        assert all(address.removeprefix("::ffff:").startswith("127.") for address in listening)
        assert await stopped.end(signal.SIGINT) == 130, stopped.said
        assert "the same command goes on" in stopped.said
        assert "Traceback" not in stopped.said


async def test_through_triton_it_says_the_same_as_in_process(tmp_path: Path, triton: str) -> None:
    files = [write(tmp_path / "a.csv.zst", rows(300))]
    async with backfill(tmp_path / "triton", files, settings={"TRITON_URL": triton}) as served:
        assert await served.end() == 0, served.said
    async with backfill(tmp_path / "here", files, *IN_PROCESS) as here:
        assert await here.end() == 0, here.said
    theirs, ours = (
        parquet.read_table(tmp_path / name / "scored" / "results").sort_by("row").to_pylist()
        for name in ("triton", "here")
    )
    assert [row["sentiment_label"] for row in theirs] == [row["sentiment_label"] for row in ours]
    assert [row["confidence"] for row in theirs] == pytest.approx([row["confidence"] for row in ours], abs=2e-3)


async def test_without_triton_it_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    settings = {"TRITON_URL": "127.0.0.1:1"}
    async with backfill(tmp_path / "run", [write(tmp_path / "a.csv", rows(1))], settings=settings) as away:
        assert await away.end() == 2
        assert "--runtime onnxruntime" in away.said
        assert "Traceback" not in away.said
    assert not (tmp_path / "run" / "scored").exists()
