"""Whose post it is."""

import pytest

from services.common.deletions import writer_of


@pytest.mark.parametrize(
    ("post_id", "author", "writer"),
    [
        ("at://did:plc:mole/app.bsky.feed.post/3k", "did:plc:mole", "did:plc:mole"),
        ("at://did:plc:mole/app.bsky.feed.post/3k", "", "did:plc:mole"),
        ("at://did:web:mole.example", "", "did:web:mole.example"),
        ("mastodon:server/1", "mole@server", "mole@server"),
        ("mastodon:server/1", "", ""),
        ("at://mole.example/app.bsky.feed.post/3k", "mole", "mole"),
    ],
)
def test_a_did_in_an_id_is_the_writer_also_of_a_masked_post(post_id: str, author: str, writer: str) -> None:
    assert writer_of(post_id, author) == writer
