"""`undertone keys …`: makes a key for API_KEYS, or says whose key one is."""

import argparse
import getpass
import sys

from services.cli import present
from services.common.api_keys import find_key, in_order, make_key, new_key
from services.common.errors import ConfigurationError
from services.common.settings import Settings

DONE, NOT_ALL = 0, 1
# A key has 46 characters; whatever else comes is not read on.
MAX_READ_CHARS = 1_000


def run(settings: Settings, options: argparse.Namespace) -> int:
    return _new(settings, options) if options.command == "new" else _check(settings, options)


def _new(settings: Settings, options: argparse.Namespace) -> int:
    """ConfigurationError where the name is taken: two keys of one name could not be told apart in a log."""
    if any(key.name == options.name for key in settings.known_keys):
        raise ConfigurationError(
            f"API_KEYS has a key {options.name}; both may be valid under two names, as for a change"
        )
    text = new_key()
    key = make_key(options.name, options.scopes, text)
    if options.json:
        present.print_json({"name": key.name, "scopes": in_order(key.scopes), "key": text, "entry": key.entry})
        return DONE
    print(f"The key, which is shown this once and kept nowhere:\n\n  {text}\n")
    print(f"Its entry in API_KEYS, with a comma between entries; then start the API again:\n\n  {key.entry}")
    return DONE


def _check(settings: Settings, options: argparse.Namespace) -> int:
    if not settings.known_keys:
        raise ConfigurationError("API_KEYS is empty: nobody is asked for a key")
    text = getpass.getpass("Key: ") if sys.stdin.isatty() else sys.stdin.readline(MAX_READ_CHARS)
    key = find_key(settings.known_keys, text.strip())
    if options.json:
        present.print_json({"name": key and key.name, "scopes": in_order(key.scopes) if key else []})
    elif key:
        print(f"{key.name}: {', '.join(in_order(key.scopes))}")
    else:
        print("API_KEYS has no such key", file=sys.stderr)
    return DONE if key else NOT_ALL
