"""What is no post is told from what is."""

from datetime import UTC, datetime

from services.common.messages import AuthorDeletion, Deletion, encode_deletion, encode_post
from services.worker.consumer import Entry
from services.worker.pipeline import decode
from tests.posts import make_posts


def entries(count: int) -> list[Entry]:
    return [
        Entry(f"{i}-0", {name.encode(): value.encode() for name, value in encode_post(post).items()})
        for i, post in enumerate(make_posts(count))
    ]


def test_what_is_no_post_is_told_from_what_is() -> None:
    good = entries(2)
    bad = Entry("9-0", {b"content": b"\xff"})
    deletions: list[Deletion | AuthorDeletion] = [
        Deletion(post_id="p"),
        AuthorDeletion(source="s", author="a", until=datetime(2026, 5, 1, tzinfo=UTC)),
    ]
    of_deletions = [
        Entry(f"8-{place}", {name.encode(): value.encode() for name, value in encode_deletion(each).items()})
        for place, each in enumerate(deletions)
    ]
    readable, deleting, refused = decode([good[0], bad, *of_deletions, good[1]])
    assert [item.entry for item in readable] == good
    assert [(item.entry, item.deletion) for item in deleting] == list(zip(of_deletions, deletions, strict=True))
    (letter,) = refused
    assert (letter.stream_id, letter.fields, letter.reason) == ("9-0", bad.fields, "invalid_utf8")
