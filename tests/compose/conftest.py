"""One running system for all tests of this folder that ask for it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.compose.stack import Stack, new_stack


@contextmanager
def started(made: Stack) -> Iterator[Stack]:
    """Built, healthy from nothing, and removed with its volumes at the end."""
    made.compose("build")
    try:
        try:
            made.up()
        except AssertionError as error:
            raise AssertionError(f"{error}\n{made.logs()}") from None
        yield made
    finally:
        made.compose("--profile=*", "down", "--volumes", "--timeout=15", "--remove-orphans")


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    with started(new_stack()) as running:
        yield running
