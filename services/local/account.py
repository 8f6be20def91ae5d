"""Whom PostgreSQL runs as: it refuses uid 0."""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from services.common.errors import ConfigurationError

UNPRIVILEGED_USER = "nobody"


@dataclass(frozen=True)
class Account:
    """`uid` and `gid` are None where nobody else has to be; `prefix` stands before every command."""

    uid: int | None = None
    gid: int | None = None
    prefix: tuple[str, ...] = ()


def account_for(folder: Path) -> Account:
    """Who can be the server's user with data below `folder`, which exists.

    An ordinary user is that user. Root becomes `nobody`; where `nobody` cannot reach the folder (the project lies in
    root's own home), root stays the owner of the files and seems to be `nobody` inside a user namespace.
    ConfigurationError when neither is possible.
    """
    if os.geteuid() != 0:
        return Account()
    try:
        user = pwd.getpwnam(UNPRIVILEGED_USER)
    except KeyError:
        raise ConfigurationError(
            f"PostgreSQL does not run as root, and there is no user {UNPRIVILEGED_USER}: start as an ordinary user"
        ) from None
    if everyone_can_enter(folder):
        return Account(user.pw_uid, user.pw_gid)
    namespace = ("unshare", "--user", f"--map-user={user.pw_uid}", f"--map-group={user.pw_gid}", "--")
    attempt = [*namespace, "true"]
    if shutil.which("unshare") and subprocess.run(attempt, capture_output=True, check=False).returncode == 0:
        return Account(prefix=namespace)
    raise ConfigurationError(
        f"PostgreSQL does not run as root, and the user {UNPRIVILEGED_USER} cannot enter {folder}: "
        "set LOCAL_DIR to a folder that everyone can enter (/var/tmp/undertone), or start as an ordinary user"
    )


def hand_over(folder: Path, account: Account) -> None:
    """Gives the tree to the server's user where it is somebody else's: moved, restored, or first run by another."""
    owner = os.geteuid() if account.uid is None else account.uid
    if os.geteuid() != 0 or folder.stat().st_uid == owner:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner, -1 if account.gid is None else account.gid, follow_symlinks=False)


def everyone_can_enter(folder: Path) -> bool:
    folder = folder.resolve()
    return all(path.stat().st_mode & 0o001 for path in (folder, *folder.parents))
