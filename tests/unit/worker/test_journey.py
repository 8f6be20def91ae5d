"""What is recorded of a post's way holds whatever a stream's ids and two clocks say."""

from datetime import UTC, datetime, timedelta

import pytest

from services.common.messages import MAX_EPOCH_MS
from services.common.partitions import moment_of
from services.inference.analyzer import Course, Inferred
from services.inference.statistics import Split
from services.worker.consumer import Entry
from services.worker.journey import Journey, journey, passage, row

COURSE = Course(100.0, 1.5, Inferred(100.2, 20.0, 3, Split(2.0, 8.0)), Inferred(100.3, 30.0, 4, None))
PASSAGE = passage("worker-a", 7, COURSE)


def way(stream_id: str, read_at: float = 100.0) -> Journey:
    return journey(Entry(stream_id, {}, read_at=read_at), PASSAGE)


def test_a_post_has_its_arrival_and_how_long_it_waited() -> None:
    assert way("99250-3") == (99_250, 750, PASSAGE)


def test_nothing_is_read_before_it_is_there_though_two_clocks_say_so() -> None:
    assert way("100500-0") == (100_500, 0, PASSAGE)


@pytest.mark.parametrize("stream_id", [f"{MAX_EPOCH_MS + 1}-0", f"{2**64 - 1}-{2**64 - 1}"])
def test_an_id_that_is_no_time_is_not_recorded(stream_id: str) -> None:
    assert way(stream_id) == (None, None, PASSAGE)


def test_a_wait_that_the_column_has_no_room_for_is_not_recorded() -> None:
    assert way("5-0", read_at=2e9) == (5, None, PASSAGE)


def test_passages_have_ids_of_their_own_that_tell_the_time() -> None:
    made = [passage("worker-a", 1, COURSE) for _ in range(1_000)]
    assert len({each.id for each in made}) == 1_000
    assert abs(moment_of(made[-1].id) - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_row_has_the_split_where_triton_tells_it() -> None:
    assert row(PASSAGE)[1:] == (
        *("worker-a", 7, 100.0, 100.2, 100.3, 1.5, 20.0, 30.0),
        *(2.0, 8.0, None, None, 3, 4),
    )
