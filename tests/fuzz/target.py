"""What is fuzzed: a decoder, and the property that holds for whatever bytes it is given."""

import atexit
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hypothesis.strategies import SearchStrategy

FIELD, VALUE = b"\x1e", b"\x1f"


@dataclass(frozen=True)
class Target:
    """`check` raises where the property does not hold: AssertionError, or whatever escapes from the decoder.

    `seeds`: inputs to begin with, that reach far into the decoder. `inputs`: for whoever has nothing to guide it.
    """

    name: str
    check: Callable[[bytes], None]
    seeds: Sequence[bytes]
    inputs: SearchStrategy[bytes]


def scratch() -> Path:
    """A folder for what a decoder reads from files, gone at the end of the process."""
    folder = tempfile.mkdtemp(prefix="fuzz-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def fields_of(raw: bytes) -> dict[bytes, bytes]:
    """Names and values out of bytes, so that what mutates bytes mutates fields."""
    found = {}
    for part in raw.split(FIELD):
        name, _, value = part.partition(VALUE)
        found[name] = value
    return found


def raw_fields(fields: Mapping[bytes, bytes]) -> bytes:
    return FIELD.join(name + VALUE + value for name, value in fields.items())


def texts_of(raw: bytes) -> dict[str, str]:
    """The same as texts; what is no UTF-8 stands as the sign for it."""
    return {name.decode("utf-8", "replace"): value.decode("utf-8", "replace") for name, value in fields_of(raw).items()}
