"""The passwords of the embedded servers: made once, kept in a file that only its owner can read."""

import json
import os
import secrets
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from services.common.errors import ConfigurationError


@dataclass(frozen=True)
class Passwords:
    postgres: str
    redis: str


def load_or_make(path: Path, *, database_dir: Path) -> Passwords:
    """The passwords in `path` (JSON, mode 0600), made and written there first where it does not exist.

    ConfigurationError when the file is damaged, or gone while `database_dir` has data made with its password.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Passwords)
    except FileNotFoundError:
        pass
    except (ValueError, RecursionError):
        raise ConfigurationError(f"{path} is damaged: it must hold the passwords of {path.parent}'s servers") from None
    if database_dir.exists():
        raise ConfigurationError(
            f"{path} is gone, and with it the password of {database_dir}: put the file back, or move that folder away"
        )
    # Nothing that a URL or a configuration file would have to escape.
    passwords = Passwords(postgres=secrets.token_urlsafe(24), redis=secrets.token_urlsafe(24))
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, unfinished = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(passwords), file)
            file.flush()
            # Together with the rename: whoever finds the file finds it whole, after a power cut too.
            os.fsync(file.fileno())
        Path(unfinished).rename(path)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise
    return passwords
