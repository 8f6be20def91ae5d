"""What a batch becomes: refused posts stand alone, their neighbours pass."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import Rejected, Transient
from services.common.messages import Analysis, encode_post
from services.worker.consumer import Entry
from services.worker.pipeline import analyse, decode
from tests.posts import make_posts

REFUSED = "refused"


class PickyAnalyzer:
    """Refuses a whole request for one bad text in it, as Triton does."""

    def __init__(self) -> None:
        self.requests = 0

    async def analyse(self, texts: Sequence[str]) -> list[Analysis]:
        self.requests += 1
        if any(text.startswith(REFUSED) for text in texts):
            raise Rejected("bad row")
        return [
            Analysis(model_name="m", sentiment_label=text, confidence=1, emotion="joy", emotion_confidence=1)
            for text in texts
        ]


def entries(count: int, bad: set[int]) -> list[Entry]:
    posts = make_posts(count)
    return [
        Entry(
            f"{i}-0",
            {
                name.encode(): (REFUSED if i in bad and name == "content" else value).encode()
                for name, value in encode_post(post).items()
            },
        )
        for i, post in enumerate(posts)
    ]


@given(st.sets(st.integers(0, 39), max_size=6))
async def test_only_the_refused_posts_are_buried_and_every_other_is_analysed(bad: set[int]) -> None:
    readable, malformed = decode(entries(40, bad))
    assert malformed == []
    analysed, refused = await analyse(PickyAnalyzer(), readable)  # type: ignore[arg-type]
    assert {letter.stream_id for letter in refused} == {f"{i}-0" for i in bad}
    assert [post for post, _ in analysed] == [post for i, (_, post) in enumerate(readable) if i not in bad]
    assert all(analysis.sentiment_label == post.content for post, analysis in analysed)
    assert all(letter.reason == "rejected_by_model" for letter in refused)


async def test_one_bad_post_costs_a_logarithm_of_requests() -> None:
    analyzer = PickyAnalyzer()
    readable, _ = decode(entries(256, {77}))
    await analyse(analyzer, readable)  # type: ignore[arg-type]
    assert analyzer.requests <= 2 * 8 + 1


async def test_a_dependency_that_is_away_buries_nobody() -> None:
    class Away:
        async def analyse(self, texts: Sequence[str]) -> list[Analysis]:
            raise Transient("away")

    readable, _ = decode(entries(3, set()))
    with pytest.raises(Transient):
        await analyse(Away(), readable)  # type: ignore[arg-type]


def test_what_is_no_post_is_told_from_what_is() -> None:
    good = entries(2, set())
    bad = Entry("9-0", {b"content": b"\xff"})
    readable, refused = decode([good[0], bad, good[1]])
    assert [entry for entry, _ in readable] == good
    (letter,) = refused
    assert (letter.stream_id, letter.fields, letter.reason) == ("9-0", bad.fields, "invalid_utf8")
