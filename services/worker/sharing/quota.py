"""Fair shares."""

from collections.abc import Iterable


def quota(worker: str, workers: Iterable[str], shards: int) -> int:
    """How many shards are the worker's. All of them together have all shards, and nobody two more than another.

    What cannot be divided goes to those whose names come first: everybody who knows the same workers agrees.
    """
    names = sorted({*workers, worker})
    return shards // len(names) + (names.index(worker) < shards % len(names))
