"""Which shard a post goes to."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from services.common.shards import MAX_SHARDS, has_hash_tag, lease, shard_streams, stream_of
from services.common.streams import dead_letter_stream

SHARDS = st.integers(1, MAX_SHARDS)


def test_one_shard_has_the_plain_name_and_several_have_numbers_in_braces() -> None:
    assert shard_streams("posts", 1) == ("posts",)
    assert shard_streams("posts", 3) == ("posts:{0}", "posts:{1}", "posts:{2}")


@pytest.mark.parametrize(("post_id", "shard"), [("1", 5), ("post-42", 4), ("😀", 4)])
def test_a_post_goes_where_it_always_went(post_id: str, shard: int) -> None:
    """Other producers compute the same: CRC-32 of the id, modulo the number of shards."""
    assert stream_of(post_id.encode(), shard_streams("posts", 6)) == f"posts:{{{shard}}}"


@given(st.binary(), SHARDS)
def test_every_post_has_a_shard(post_id: bytes, shards: int) -> None:
    assert stream_of(post_id, shard_streams("posts", shards)) in shard_streams("posts", shards)


@pytest.mark.parametrize("shards", [2, 6, MAX_SHARDS])
@pytest.mark.parametrize("pattern", ["{}", "post-{}", "reddit:t3_{:x}", "https://example.org/{}/"])
def test_posts_are_spread_evenly(shards: int, pattern: str) -> None:
    posts = 500 * shards
    streams = shard_streams("posts", shards)
    counts = Counter(stream_of(pattern.format(number).encode(), streams) for number in range(posts))
    assert max(counts.values()) < 1.25 * posts / shards
    assert min(counts.values()) > 0.75 * posts / shards


@given(st.integers(2, MAX_SHARDS))
def test_all_keys_of_a_shard_are_in_one_slot_of_a_cluster(shards: int) -> None:
    for stream in shard_streams("posts", shards):
        keys = (stream, dead_letter_stream(stream), f"{dead_letter_stream(stream)}:index", lease(stream))
        assert len({key_slot(key.encode()) for key in keys}) == 1


@given(st.text(alphabet="ab{}", max_size=12))
def test_a_name_with_a_hash_tag_keeps_its_slot_whatever_follows(name: str) -> None:
    same = all(key_slot(name.encode()) == key_slot(f"{name}{rest}".encode()) for rest in (":x", ":yy", ":dead"))
    assert has_hash_tag(name) == same
