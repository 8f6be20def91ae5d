"""What routes ask for, and the types of their parameters."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Query
from pydantic import AfterValidator, BeforeValidator
from starlette.requests import HTTPConnection

from services.api.access.callers import Callers
from services.api.schemas.general import Period
from services.api.state import State
from services.api.web.admission import Permits


async def get_state(connection: HTTPConnection) -> State:
    state: State = connection.app.state.undertone
    return state


StateDep = Annotated[State, Depends(get_state)]


async def get_permits(connection: HTTPConnection) -> Permits | None:
    permits: Permits | None = connection.app.state.permits
    return permits


# For work after an answer has begun: until then the request has one. None: everybody is admitted.
PermitsDep = Annotated[Permits | None, Depends(get_permits)]


async def get_callers(connection: HTTPConnection) -> Callers:
    callers: Callers = connection.app.state.callers
    return callers


CallersDep = Annotated[Callers, Depends(get_callers)]


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain a NUL character, which PostgreSQL cannot store")
    return text


def _written(value: object) -> object:
    """No number: pydantic takes it for seconds since 1970, and so the year 2026 for 34 minutes after."""
    if isinstance(value, int | float) or (isinstance(value, str) and _is_number(value)):
        raise ValueError("must be a time as 2026-01-31T12:00:00Z")
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _utc(moment: datetime) -> datetime:
    """A time without an offset is UTC."""
    # The margin keeps conversions between time zones inside what a datetime can hold.
    if not 1900 <= moment.year <= 9900:
        raise ValueError("must be in a year from 1900 to 9900")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


Text = Annotated[str, AfterValidator(_storable)]
Moment = Annotated[datetime, BeforeValidator(_written), AfterValidator(_utc)]

Source = Annotated[Text | None, Query(max_length=50, description="Only posts of this source", examples=["reddit"])]
WindowMinutes = Annotated[
    int, Query(ge=5, le=10_080, description="Posts ingested in the last so many minutes; seven days at most")
]
Width = Annotated[Period, Query(description="Width of a bucket; at most 2,000 of them")]
From = Annotated[
    Moment | None,
    Query(description="ISO 8601; by default the last hour, 6 hours, 24 hours or 30 days, by the period"),
]
Until = Annotated[Moment | None, Query(description="ISO 8601, exclusive; by default now")]
Limit = Annotated[int, Query(ge=1, le=100, description="How many at most")]
# Skipping reads what it skips: the cursor is for going far.
MAX_OFFSET = 10_000


def _near(offset: int) -> int:
    if offset > MAX_OFFSET:
        raise ValueError(f"must not be more than {MAX_OFFSET:,}; take `cursor` from the page before to go further")
    return offset


Offset = Annotated[
    int, AfterValidator(_near), Query(ge=0, description="How many to skip, 10,000 at most; a cursor goes further")
]
