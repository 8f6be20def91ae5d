"""What a process knows of the versions in service is fresh, costs little, and survives what is broken."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services.common.errors import ConfigurationError, Rejected, Transient
from services.common.settings import Settings
from services.inference.analyzer import Analyzer
from services.inference.served import MAX_REPEATS, Served
from tests.unit.inference.small_models import FakeTriton, version

NEVER_S = 3_600
ALWAYS_S = 1e-9
NAMES = ("sentiment", "emotion")


@pytest.fixture
def triton(tmp_path: Path) -> FakeTriton:
    return FakeTriton(*(version(tmp_path, name, 1) for name in NAMES))


@pytest.fixture
async def analyzer(triton: FakeTriton, tmp_path: Path) -> AsyncIterator[Analyzer]:
    settings = Settings(_env_file=None, model_repository=tmp_path, model_refresh_s=NEVER_S)
    analyzer = Analyzer(triton, settings)
    yield analyzer
    analyzer.close()


async def test_within_the_time_nothing_is_read_again(triton: FakeTriton, tmp_path: Path) -> None:
    served = Served(triton, tmp_path, NAMES, NEVER_S)
    first = await served.models()
    triton.serve(version(tmp_path, "sentiment", 2))
    assert await served.models() is first
    assert triton.readings == 1


async def test_beyond_it_one_call_reads_and_the_others_do_not_wait(triton: FakeTriton, tmp_path: Path) -> None:
    served = Served(triton, tmp_path, NAMES, ALWAYS_S)
    first = await served.models()
    triton.serve(version(tmp_path, "sentiment", 2))
    reading = asyncio.create_task(served.models())
    await asyncio.sleep(0)
    assert [await served.models() for _ in range(20)] == [first] * 20
    assert (await reading).sentiment.model.version == 2
    assert triton.readings == 2


async def test_what_has_not_changed_is_the_same_object_and_its_files_are_not_read_again(
    triton: FakeTriton, tmp_path: Path
) -> None:
    served = Served(triton, tmp_path, NAMES, ALWAYS_S)
    first = await served.models()
    (tmp_path / "emotion/1/tokenizer.json").unlink()
    triton.serve(version(tmp_path, "sentiment", 2))
    with capture_logs() as lines:
        second = await served.models()
    assert second.emotion is first.emotion
    assert first.sentiment.model.version == 1
    assert lines == [
        {"log_level": "info", "event": "another version is in service", "model": "sentiment", "from": 1, "to": 2}
    ]


async def test_one_tokenizer_serves_both_models_where_it_is_the_same(triton: FakeTriton, tmp_path: Path) -> None:
    models = await Served(triton, tmp_path, NAMES, NEVER_S).models()
    assert models.sentiment.tokenizer is models.emotion.tokenizer


async def test_a_sentiment_that_the_tables_have_no_room_for_is_told_before_posts_are_refused(
    triton: FakeTriton, tmp_path: Path
) -> None:
    long = "calm,of_twenty-one_letters"
    triton.serve(version(tmp_path, "emotion", 1, labels=long))
    await Served(triton, tmp_path, NAMES, NEVER_S).models()
    triton.serve(version(tmp_path, "sentiment", 1, labels=long))
    with pytest.raises(ConfigurationError, match="1 to 20 printable characters"):
        await Served(triton, tmp_path, NAMES, NEVER_S).models()


async def test_a_triton_that_is_away_leaves_the_models_in_hand(triton: FakeTriton, tmp_path: Path) -> None:
    served = Served(triton, tmp_path, NAMES, ALWAYS_S)
    triton.away = True
    with pytest.raises(Transient):
        await served.models()
    triton.away = False
    first = await served.models()
    triton.away = True
    assert await served.models() is first


async def test_a_failure_is_not_answered_with_what_was_read_before_it(triton: FakeTriton, tmp_path: Path) -> None:
    """A reading may have begun while the former version was still there."""
    served = Served(triton, tmp_path, NAMES, NEVER_S)
    used = await served.models()
    with pytest.raises(Rejected):
        await served.instead_of(used, Rejected("bad"))
    triton.serve(version(tmp_path, "emotion", 2))
    newest = await served.instead_of(used, Transient("not ready"))
    assert newest.emotion.model.version == 2
    readings = triton.readings
    # Others who failed with the former one need not ask.
    assert await served.instead_of(used, Transient("not ready")) is newest
    assert triton.readings == readings


async def test_failures_at_once_share_their_readings(triton: FakeTriton, tmp_path: Path) -> None:
    """One may be under way when most of them fail; the next one is for all of these."""
    served = Served(triton, tmp_path, NAMES, NEVER_S)
    used = await served.models()
    readings = triton.readings
    failures = [served.instead_of(used, Transient("away")) for _ in range(50)]
    answers = await asyncio.gather(*failures, return_exceptions=True)
    assert [str(answer) for answer in answers] == ["away"] * 50
    assert triton.readings - readings <= 2


async def test_a_version_that_cannot_be_used_is_an_error_only_at_the_first_time(
    triton: FakeTriton, tmp_path: Path
) -> None:
    served = Served(triton, tmp_path, NAMES, ALWAYS_S)
    first = await served.models()
    triton.serve(version(tmp_path, "sentiment", 2))
    tokenizer = tmp_path / "sentiment/2/tokenizer.json"
    content = tokenizer.read_bytes()
    tokenizer.unlink()
    with capture_logs() as lines:
        for _ in range(5):
            assert (await served.models()).sentiment is first.sentiment
    assert [line["log_level"] for line in lines] == ["error"]
    with pytest.raises(Transient, match=r"not ready; model sentiment version 2: its tokenizer cannot be read"):
        await served.instead_of(first, Transient("not ready"))
    with pytest.raises(ConfigurationError, match="version 2"):
        await Served(triton, tmp_path, NAMES, ALWAYS_S).models()
    tokenizer.write_bytes(content)
    assert (await served.models()).sentiment.model.version == 2


async def test_a_call_follows_to_the_version_that_took_over(
    triton: FakeTriton, analyzer: Analyzer, tmp_path: Path
) -> None:
    (analysis,) = await analyzer.analyse(["hello"])
    assert (analysis.model_version, analysis.emotion_model_version) == (1, 1)
    triton.serve(version(tmp_path, "sentiment", 2))
    triton.serve(version(tmp_path, "emotion", 3))
    (analysis,) = await analyzer.analyse(["hello"])
    assert (analysis.model_version, analysis.emotion_model_version) == (2, 3)


async def test_versions_that_change_faster_than_they_answer_are_transient(
    triton: FakeTriton, analyzer: Analyzer, tmp_path: Path
) -> None:
    numbers = iter(range(2, 100))
    await analyzer.models()
    triton.before_answer = lambda: triton.serve(version(tmp_path, "sentiment", next(numbers)))
    with pytest.raises(Transient, match="not ready"):
        await analyzer.analyse(["hello"])
    assert len([model for model, _ in triton.requests if model == "sentiment"]) == MAX_REPEATS + 1


async def test_a_triton_that_is_away_is_asked_once(triton: FakeTriton, analyzer: Analyzer) -> None:
    await analyzer.models()
    triton.away = True
    with pytest.raises(Transient, match=r"version 1 is not ready"):
        await analyzer.analyse(["hello"])
    assert len(triton.requests) <= len(NAMES)
