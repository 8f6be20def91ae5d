"""What a batch becomes: refused posts stand alone, their neighbours pass."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import Rejected, Transient
from services.common.messages import encode_post
from services.worker.consumer import Entry
from services.worker.pipeline import Readable, decode, isolate
from tests.posts import make_posts

REFUSED = "refused"


class Picky:
    """Refuses a whole batch for one bad text in it, as Triton and PostgreSQL do."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self, readable: Sequence[Readable]) -> list[str]:
        self.calls += 1
        if any(item.post.content.startswith(REFUSED) for item in readable):
            raise Rejected("bad row")
        return [item.post.content for item in readable]


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
async def test_only_the_bad_posts_are_refused_and_every_other_passes(bad: set[int]) -> None:
    readable, malformed = decode(entries(40, bad))
    assert malformed == []
    passed, refused = await isolate(Picky(), readable)
    assert {item.entry.stream_id for item, _ in refused} == {f"{i}-0" for i in bad}
    assert passed == [item.post.content for i, item in enumerate(readable) if i not in bad]


async def test_one_bad_post_costs_a_logarithm_of_calls() -> None:
    action = Picky()
    readable, _ = decode(entries(256, {77}))
    await isolate(action, readable)
    assert action.calls <= 2 * 8 + 1


async def test_a_dependency_that_is_away_refuses_nobody() -> None:
    async def away(items: Sequence[Readable]) -> list[str]:
        raise Transient("away")

    readable, _ = decode(entries(3, set()))
    with pytest.raises(Transient):
        await isolate(away, readable)


def test_what_is_no_post_is_told_from_what_is() -> None:
    good = entries(2, set())
    bad = Entry("9-0", {b"content": b"\xff"})
    readable, refused = decode([good[0], bad, good[1]])
    assert [item.entry for item in readable] == good
    (letter,) = refused
    assert (letter.stream_id, letter.fields, letter.reason) == ("9-0", bad.fields, "invalid_utf8")
