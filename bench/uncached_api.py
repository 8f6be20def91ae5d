"""`python -m bench.uncached_api`: the API as it is, but no answer is kept: each request is the first of its kind."""

from collections.abc import Awaitable, Callable, Hashable
from datetime import UTC, datetime
from typing import Any

from services.api.__main__ import main
from services.api.cache import Cached, TtlCache
from services.common.lifecycle import run_service


async def compute_always(_cache: TtlCache[Any], _key: Hashable, compute: Callable[[], Awaitable[Any]]) -> Cached[Any]:
    return Cached(await compute(), datetime.now(UTC))


if __name__ == "__main__":
    setattr(TtlCache, "get", compute_always)  # noqa: B010 # a method cannot be assigned to
    run_service("api", main)
