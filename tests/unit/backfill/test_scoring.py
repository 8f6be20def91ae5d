"""A block's files appear whole and last; another run goes on from them, with the same options only."""

import asyncio
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pyarrow import parquet

from services.archives.reading import Block
from services.backfill.onnx_runtime import open_in_process
from services.backfill.output import Output
from services.backfill.scoring import Scorer
from services.common.errors import ConfigurationError, Rejected, Transient
from services.common.messages import Analysis
from services.common.settings import Settings
from tests.conftest import ROOT
from tests.unit.archives.files import read, write

OPTIONS: dict[str, Any] = {"inputs": ["a"], "block_rows": 3}


class FakeAnalyzer:
    """Calls every text positive; refuses those that say so."""

    async def analyse(self, texts: list[str]) -> list[Analysis]:
        if any("refuse" in text for text in texts):
            raise Rejected("no such text")
        return [
            Analysis(model_name="m", sentiment_label="positive", confidence=0.9, emotion="joy", emotion_confidence=0.8)
            for _ in texts
        ]

    async def check(self) -> None:
        pass


def blocks_of(folder: Path, texts: list[str]) -> list[Block]:
    file = write(folder / "a.jsonl", [{"post_id": f"p{i}", "content": text} for i, text in enumerate(texts)])
    return read(file, rows=3)


async def score(output: Output, blocks: list[Block]) -> list[Any]:
    scorer = Scorer(FakeAnalyzer(), output, None)  # type: ignore[arg-type] # what a Scorer asks of an Analyzer
    return [await scorer.score(block) for block in blocks]


async def test_a_row_for_each_post_and_a_line_for_each_refusal(tmp_path: Path) -> None:
    output = Output(str(tmp_path / "scored"))
    output.begin(OPTIONS)
    summaries = await score(output, blocks_of(tmp_path, ["one", " ", "please refuse", "four"]))
    table = parquet.read_table(tmp_path / "scored" / "results")
    assert table.sort_by("row").select(["post_id", "row", "sentiment_label", "emotion", "input"]).to_pylist() == [
        {"post_id": f"p{row - 1}", "row": row, "sentiment_label": "positive", "emotion": "joy", "input": 0}
        for row in (1, 4)
    ]
    lines = (tmp_path / "scored" / "rejects" / "input=00000" / "00000.jsonl").read_bytes().splitlines()
    refused = [msgspec.json.decode(line) for line in lines]
    assert [(each["row"], each["reason"]) for each in refused] == [(2, "empty_field"), (3, "rejected_by_model")]
    assert summaries[0].refused == {"empty_field": 1, "rejected_by_model": 1}
    assert not (tmp_path / "scored" / "rejects" / "input=00000" / "00001.jsonl").exists()


async def test_finished_blocks_are_known_by_their_files_and_tell_what_came_of_them(tmp_path: Path) -> None:
    output = Output(str(tmp_path / "scored"))
    output.begin(OPTIONS)
    blocks = blocks_of(tmp_path, ["one", " ", "three", "four", "five", "six", "seven"])
    first, _, last = await score(output, [blocks[0], blocks[1], blocks[2]])
    assert output.finished() == {0: frozenset({0, 1, 2})}
    assert output.is_whole(0, frozenset({0, 1, 2}))
    again = [output.summary(0, 0, first.bytes), output.summary(0, 2, last.bytes)]
    assert again == [msgspec.structs.replace(each, is_finished=True) for each in (first, last)]


async def test_a_file_is_whole_only_with_its_last_block_and_all_before_it(tmp_path: Path) -> None:
    output = Output(str(tmp_path / "scored"))
    output.begin(OPTIONS)
    blocks = blocks_of(tmp_path, [str(number) for number in range(7)])
    await score(output, [blocks[0], blocks[2]])
    assert not output.is_whole(0, output.finished()[0])
    assert not output.is_whole(0, frozenset({0}))
    assert not output.is_whole(1, frozenset())


async def test_where_writing_fails_no_block_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = Output(str(tmp_path / "scored"))
    output.begin(OPTIONS)

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(Transient, match="No space left"):
        await score(output, blocks_of(tmp_path, ["one"]))
    assert output.finished() == {}
    monkeypatch.undo()
    output.begin(OPTIONS)
    assert not list((tmp_path / "scored").rglob(".*"))


def test_another_set_of_options_is_told(tmp_path: Path) -> None:
    output = Output(str(tmp_path / "scored"))
    output.begin(OPTIONS)
    output.begin({"block_rows": 3, "inputs": ["a"]})
    with pytest.raises(ConfigurationError, match="block_rows: 3, now 4"):
        output.begin({**OPTIONS, "block_rows": 4})


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(ConfigurationError, match="something else"):
        Output(str(tmp_path)).begin(OPTIONS)


def test_an_object_store_takes_the_same(tmp_path: Path) -> None:
    del tmp_path
    output = Output("memory://scored-by-test")
    output.begin(OPTIONS)
    output.write(0, 0, [], [], is_last=True)
    assert output.finished() == {0: frozenset({0})}
    assert output.is_whole(0, frozenset({0}))


def test_the_models_in_process_say_what_triton_says_of_them() -> None:
    """Labels and versions of the project's own models, by the analyzer that workers have."""

    async def ask() -> list[Analysis]:
        async with open_in_process(Settings(_env_file=None, model_repository=ROOT / "model_repository"), 1) as analyzer:
            await analyzer.check()
            return await analyzer.analyse(["I love this!", "I hate this, it is terrible " + 40 * "and bad "])

    good, bad = asyncio.run(ask())
    assert (good.sentiment_label, bad.sentiment_label) == ("positive", "negative")
    assert (good.model_name, good.model_version) == ("undertone-starter-sentiment", 1)


def test_a_repository_without_the_model_is_told(tmp_path: Path) -> None:
    async def ask() -> None:
        async with open_in_process(Settings(_env_file=None, model_repository=tmp_path), 1) as analyzer:
            await analyzer.models()

    with pytest.raises(ConfigurationError, match="sentiment"):
        asyncio.run(ask())
