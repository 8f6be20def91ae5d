"""Files in any store that fsspec knows: found below paths, globs and URLs, and opened."""

from collections.abc import Sequence
from typing import BinaryIO, cast

import fsspec

from services.archives.inputs import EXPECTED, Input, kind_of
from services.common.errors import ConfigurationError, Transient

MAX_INPUTS = 100_000


def find(paths: Sequence[str]) -> list[Input]:
    """Every file that the paths name, each once, in the order of their names. ConfigurationError if there is none."""
    found: dict[str, Input] = {}
    for path in paths:
        inputs = _below(path)
        if not inputs:
            raise ConfigurationError(f"{path} names no file; check the path, and quote what has * in it")
        found |= {each.url: each for each in inputs}
    if len(found) > MAX_INPUTS:
        raise ConfigurationError(f"{len(found):,} files are more than {MAX_INPUTS:,}; make several backfills of them")
    return [found[url] for url in sorted(found)]


def _below(path: str) -> list[Input]:
    try:
        fs, root = fsspec.core.url_to_fs(path)
        if fs.isdir(root):
            names = [name for name in fs.find(root) if kind_of(name)]
        elif fs.exists(root):
            names = [root]
        else:
            names = [name for name in fs.glob(root) if not fs.isdir(name)]
        return [_input(fs, name) for name in names]
    except (ValueError, ImportError) as error:  # an unknown protocol, or one whose package is not there
        raise ConfigurationError(f"{path} cannot be opened: {error}") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be listed ({error}); check the address and your credentials") from None


def _input(fs: fsspec.AbstractFileSystem, name: str) -> Input:
    kind = kind_of(name)
    if kind is None:
        raise ConfigurationError(f"{name} has no known suffix; {EXPECTED}")
    return Input(fs.unstrip_protocol(name), *kind, fs.size(name) or 0, str(fs.ukey(name)))


def open_url(url: str) -> BinaryIO:
    """The file as it lies there. Transient where it is not to be had now."""
    try:
        return cast(BinaryIO, fsspec.open(url, "rb").open())
    except OSError as error:
        raise Transient(f"{url} cannot be opened: {error}") from error
