"""One running system for all tests of this folder that ask for it."""

from collections.abc import Iterator

import pytest

from tests.compose.stack import Stack, new_stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Built, healthy from nothing, and removed with its volumes at the end."""
    made = new_stack()
    made.compose("build")
    try:
        try:
            made.up()
        except AssertionError as error:
            raise AssertionError(f"{error}\n{made.logs()}") from None
        yield made
    finally:
        made.compose("down", "--volumes", "--timeout=15", "--remove-orphans")
