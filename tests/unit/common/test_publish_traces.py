"""Where traces begin: each sampled post with one of its own."""

import pytest

from services.common.errors import Transient
from services.common.publish_traces import publishing
from services.common.traces import context_of
from tests.posts import make_posts
from tests.unit.traced import tracing


def test_a_single_post_begins_with_its_publication() -> None:
    with tracing() as exported, publishing(["stream"], make_posts(1)) as traced:
        assert set(traced) == {0}
        assert context_of(traced[0])
    (span,) = exported.spans
    assert (span.name, span.parent) == ("publish stream", None)


def test_posts_of_one_round_trip_begin_apart_and_share_its_span() -> None:
    with tracing() as exported, publishing(["stream"] * 3, make_posts(3)) as traced:
        assert len({traceparent.split("-")[1] for traceparent in traced.values()}) == 3
    publication = exported.named("publish stream")
    created = [span.get_span_context() for span in exported.spans if span.name == "create stream"]
    assert {link.context.span_id for link in publication.links} == {each.span_id for each in created if each}


def test_a_publication_that_fails_says_so_in_every_trace() -> None:
    with tracing() as exported, pytest.raises(Transient), publishing(["stream"] * 2, make_posts(2)):
        raise Transient("away")
    assert [span.status.is_ok for span in exported.spans if span.name == "create stream"] == [False, False]


def test_while_traces_are_off_no_post_has_one() -> None:
    with publishing(["stream"] * 3, make_posts(3)) as traced:
        assert not traced
