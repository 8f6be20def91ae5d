"""`python3 deploy/make_env.py`: writes the passwords that Docker compose asks for into .env.

Standard library only, since a machine with Docker needs nothing else of Python.
"""

import argparse
import hashlib
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

PASSWORDS = (
    *(f"POSTGRES_{role}PASSWORD" for role in ("", "MIGRATE_", "WORKER_", "API_", "READ_", "MONITOR_")),
    *(f"REDIS_{user}_PASSWORD" for user in ("INGESTER", "WORKER", "API", "MONITOR", "ADMIN")),
    "TRITON_KEY",
    "GRAFANA_PASSWORD",
)
# Name of the key -> its scopes: for people who look, for programs that send texts, for who runs it.
API_KEYS = {"dashboard": "read", "ingest": "ingest", "admin": "admin"}
EXAMPLES = """examples:
  python3 deploy/make_env.py                     whatever .env lacks; what it has stays as it is
  python3 deploy/make_env.py --file /etc/undertone.env

To change a password, delete its line and run this again; the README tells how it takes effect. Keys of the API are
shown once: .env has only what they are recognised by.
"""


def read_values(text: str) -> dict[str, str]:
    """The variables of a .env file that have a value."""
    pairs = (line.strip().removeprefix("export ").partition("=") for line in text.splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, _, value in pairs if value.strip() and not name.startswith("#")}


def make_values(present: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """(what is to be added, the text of each new API key by its name)."""
    added = {name: secrets.token_urlsafe(32) for name in PASSWORDS if name not in present}
    keys: dict[str, str] = {}
    if "API_KEYS" not in present:
        keys = {name: f"ut_{secrets.token_urlsafe(32)}" for name in API_KEYS}
        digests = {name: hashlib.sha256(key.encode()).hexdigest() for name, key in keys.items()}
        added["API_KEYS"] = ",".join(f"{name}={scopes}:{digests[name]}" for name, scopes in API_KEYS.items())
    return added, keys


def write(path: Path, text: str) -> None:
    """Replaces the file in one step; only its owner can read it."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    unfinished.replace(path)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python3 deploy/make_env.py",
        description="Writes generated passwords, Triton's key and keys of the API into .env, for Docker compose.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--file", type=Path, default=Path(".env"), help="default: %(default)s")
    path: Path = parser.parse_args(arguments).file
    try:
        text = path.read_text() if path.exists() else ""
        added, keys = make_values(read_values(text))
        if added:
            lines = [*([text.rstrip("\n")] if text else []), *(f"{name}={value}" for name, value in added.items())]
            write(path, "\n".join(lines) + "\n")
    except (OSError, UnicodeDecodeError) as error:
        print(f"error: {path}: {error}", file=sys.stderr)
        return 1
    print(f"{path} has everything already" if not added else f"{path}: added {', '.join(added)}")
    if keys:
        print("Keys of the API, shown this once; the dashboard asks for one:")
        for name, key in keys.items():
            print(f"  {name:<10} {key}  ({API_KEYS[name]})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
