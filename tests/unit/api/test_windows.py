"""How one window compares with the one before it."""

from datetime import UTC, datetime

from services.api.queries.windows import change
from services.api.schemas.counts import Change, WindowCounts

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def window(positive: int, neutral: int, negative: int) -> WindowCounts:
    return WindowCounts(
        positive=positive,
        neutral=neutral,
        negative=negative,
        total=positive + neutral + negative,
        since=NOW,
        until=NOW,
    )


def test_growth_and_points_of_the_shares() -> None:
    assert change(window(2, 1, 1), window(2, 2, 4)) == Change(
        total_percent=100.0, positive_points=-25.0, neutral_points=0.0, negative_points=25.0
    )


def test_what_cannot_be_compared_is_null() -> None:
    nothing = Change(total_percent=None, positive_points=None, neutral_points=None, negative_points=None)
    assert change(window(0, 0, 0), window(0, 0, 0)) == nothing
    assert change(window(0, 0, 0), window(3, 0, 0)) == nothing
    assert change(window(3, 0, 0), window(0, 0, 0)) == nothing.model_copy(update={"total_percent": -100.0})
