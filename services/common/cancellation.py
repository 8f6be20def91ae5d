"""Cancellation that is not lost."""

import asyncio


def stop_if_cancelled() -> None:
    """Raises CancelledError if this task was cancelled and somebody swallowed it; for loops without end.

    Before Python 3.12 `asyncio.wait_for` swallows a cancellation that comes in the moment when what it waits for is
    done (cpython issue 86296), and the Redis client sends every command through it. The task still knows.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
