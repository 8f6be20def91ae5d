"""Where a sample of a window is read."""

from datetime import UTC, datetime, timedelta

import pytest

from services.api.queries.words import READ_POSTS, SAMPLE_POSTS, SLICES, pieces_of, share_of
from services.common.partitions import first_id_at

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("minutes", [5, 60, 10_080])
@pytest.mark.parametrize("share", [0.5, 1 / 64, 1 / 4_096])
def test_pieces_are_in_order_and_together_the_share_of_the_window(minutes: int, share: float) -> None:
    end = START + timedelta(minutes=minutes)
    pieces = pieces_of(START, end, share)
    assert SLICES - 1 <= len(pieces) <= SLICES + 1
    ends = [edge for piece in pieces for edge in piece]
    assert ends == sorted(ends)
    assert first_id_at(START) <= ends[0] < ends[-1] <= first_id_at(end)
    read = sum(beyond - first for first, beyond in pieces)
    # A piece is of whole milliseconds, one at least.
    expected = max(share * (first_id_at(end) - first_id_at(START)), SLICES << 20)
    assert read == pytest.approx(expected, rel=0.25)


def test_the_whole_is_one_piece() -> None:
    end = START + timedelta(minutes=5)
    assert pieces_of(START, end, 1.0) == [(first_id_at(START), first_id_at(end))]


def test_a_moment_later_nearly_the_same_is_read() -> None:
    hour, moment = timedelta(hours=1), timedelta(seconds=10)
    pieces, later = (set(pieces_of(START + by, START + by + hour, 1 / 16)) for by in (timedelta(), moment))
    assert len(pieces & later) >= len(pieces) - 3


@pytest.mark.parametrize(
    ("matching", "total", "share"),
    [
        (1, 1, 1),
        (SAMPLE_POSTS, SAMPLE_POSTS, 1),
        (SAMPLE_POSTS + 1, SAMPLE_POSTS + 1, 0.5),
        (8 * SAMPLE_POSTS, 8 * SAMPLE_POSTS, 0.125),
        (10, 2 * READ_POSTS, 0.5),
    ],
)
def test_no_more_is_read_than_is_counted_or_looked_through(matching: int, total: int, share: float) -> None:
    assert share_of(matching, total) == share
