"""What is asked of the models directly: whole or cut, text or pair, by the version that is in service at the end."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from services.common.errors import Transient
from services.common.settings import Settings
from services.inference.analyzer import Analyzer
from services.inference.scorer import ROLES, TooLong, Untokenizable, encode
from services.inference.tokenizer import PostTokenizer
from tests.unit.inference.small_models import FakeTriton, version

SHIPPED = Path(__file__).parents[3] / "model_repository" / "sentiment" / "1" / "tokenizer.json"
NEVER_S = 3_600


@pytest.fixture(scope="module")
def tokenizer() -> PostTokenizer:
    return PostTokenizer(SHIPPED.read_bytes(), 16)


@pytest.fixture
def triton(tmp_path: Path) -> FakeTriton:
    return FakeTriton(*(version(tmp_path, name, 1) for name in ROLES))


@pytest.fixture
async def analyzer(triton: FakeTriton, tmp_path: Path) -> AsyncIterator[Analyzer]:
    analyzer = Analyzer(triton, Settings(_env_file=None, model_repository=tmp_path, model_refresh_s=NEVER_S))
    yield analyzer
    analyzer.close()


def test_a_text_that_fits_has_the_tokens_that_a_worker_gives_it(tokenizer: PostTokenizer) -> None:
    texts = ["hello", "", "@ada see http://x.y 😀", "word " * 14]
    encoded = encode(tokenizer, texts, None)
    assert encoded.rows == tokenizer.encode(texts)
    assert encoded.token_counts == [len(row) for row in encoded.rows]


def test_a_long_text_is_refused_or_cut_at_the_end_that_was_asked_for(tokenizer: PostTokenizer) -> None:
    text = "one " + "word " * 30 + "last"
    with pytest.raises(TooLong) as refusal:
        encode(tokenizer, ["short", text], None)
    assert (refusal.value.tokens, refusal.value.max_tokens) == (34, 16)
    right, left = encode(tokenizer, ["short", text], "right"), encode(tokenizer, ["short", text], "left")
    assert right.token_counts == left.token_counts == [3, 34]
    assert right.rows == tokenizer.encode(["short", text])
    assert left.rows[0] == right.rows[0]
    one, last = encode(tokenizer, ["one", "last"], None).rows
    assert (right.rows[1][1], right.rows[1][-2]) == (one[1], encode(tokenizer, ["word"], None).rows[0][1])
    assert left.rows[1][-2] == last[1]
    assert len(left.rows[1]) == len(right.rows[1]) == 16


def test_a_pair_is_encoded_as_the_tokenizer_file_says_and_its_longer_text_loses(tokenizer: PostTokenizer) -> None:
    raw = Tokenizer.from_file(str(SHIPPED))
    assert encode(tokenizer, [("hello", "world")], None).rows == [raw.encode("hello", "world").ids]
    (row,) = encode(tokenizer, [("word " * 40, "last")], "right").rows
    assert len(row) == 16
    assert row[-2] == encode(tokenizer, ["last"], None).rows[0][1]


def test_a_tokenizer_that_fails_is_an_error_of_its_own(
    tokenizer: PostTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_inputs: object) -> None:
        raise Exception("no such token")

    monkeypatch.setattr(tokenizer, "encode_whole", fail)
    with pytest.raises(Untokenizable, match="no such token"):
        encode(tokenizer, ["hello"], None)


async def test_only_the_models_that_are_asked_for_are_computed(analyzer: Analyzer, triton: FakeTriton) -> None:
    scored = await analyzer.score(["hello", ("hello", "you")], ["emotion"], None)
    (emotion,) = scored.answers
    assert (emotion.model.name, emotion.token_counts) == ("emotion", [1, 2])
    assert np.array_equal(emotion.logits, [[0, 4], [0, 4]])
    assert triton.requests == [("emotion", 1)]


async def test_answers_come_in_the_order_of_the_roles(analyzer: Analyzer) -> None:
    scored = await analyzer.score(["hello"], ROLES, "right")
    assert [answer.model.name for answer in scored.answers] == list(ROLES)


async def test_a_version_that_comes_into_service_meanwhile_answers(
    analyzer: Analyzer, triton: FakeTriton, tmp_path: Path
) -> None:
    await analyzer.score(["hello"], ROLES, None)
    triton.serve(version(tmp_path, "sentiment", 2))
    (sentiment,) = (await analyzer.score(["hello"], ["sentiment"], None)).answers
    assert sentiment.model.version == 2


async def test_a_text_too_long_does_not_ask_which_versions_are_in_service(
    analyzer: Analyzer, triton: FakeTriton
) -> None:
    await analyzer.models()
    readings = triton.readings
    with pytest.raises(TooLong):
        await analyzer.score(["hello " * 40], ROLES, None)
    assert triton.readings == readings


async def test_a_triton_that_is_away_is_transient(analyzer: Analyzer, triton: FakeTriton) -> None:
    await analyzer.models()
    triton.away = True
    with pytest.raises(Transient):
        await analyzer.score(["hello"], ROLES, None)
