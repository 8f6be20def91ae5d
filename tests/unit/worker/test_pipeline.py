"""What is no post is told from what is."""

from services.common.messages import Deletion, encode_deletion, encode_post
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
    fields = {name.encode(): value.encode() for name, value in encode_deletion(Deletion(post_id="p")).items()}
    deletion = Entry("8-0", fields)
    readable, deleting, refused = decode([good[0], bad, deletion, good[1]])
    assert [item.entry for item in readable] == good
    assert [(item.entry, item.deletion.post_id) for item in deleting] == [(deletion, "p")]
    (letter,) = refused
    assert (letter.stream_id, letter.fields, letter.reason) == ("9-0", bad.fields, "invalid_utf8")
