"""API_KEYS: who may use the API, as the SHA-256 of each key; a complaint shows neither a key nor a digest."""

import hmac
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, get_args

Scope = Literal["read", "ingest", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
# Each request is compared with all of them.
MAX_KEYS = 100
PREFIX = "ut_"
# 256 bits: nobody guesses one, so that a fast hash is enough, and a password that a person made up is none.
KEY = re.compile(r"ut_[A-Za-z0-9_-]{43}")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,29}")
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True)
class ApiKey:
    """`digest`: the 32 bytes of the SHA-256 of the key's text, which is nowhere here."""

    name: str
    scopes: frozenset[Scope]
    digest: bytes

    @property
    def entry(self) -> str:
        """As API_KEYS has it."""
        return f"{self.name}={'+'.join(in_order(self.scopes))}:{self.digest.hex()}"


def new_key() -> str:
    """The text of a key that nobody has."""
    return PREFIX + secrets.token_urlsafe(32)


def make_key(name: str, scopes: Iterable[Scope], text: str) -> ApiKey:
    """ValueError if the name is not usable."""
    check_name(name)
    return ApiKey(name, frozenset(scopes), digest_of(text))


def check_name(name: str) -> None:
    """ValueError if logs and metrics could not have it."""
    if not _NAME.fullmatch(name):
        raise ValueError("a name has up to 30 small letters, digits, - and _")


def scopes_of(names: Sequence[str]) -> frozenset[Scope]:
    """ValueError if there is none, one twice, or another."""
    found = frozenset(scope for scope in SCOPES if scope in names)
    if not found or len(found) != len(names):
        raise ValueError(f"scopes are {', '.join(SCOPES)}, each at most once")
    return found


def digest_of(text: str) -> bytes:
    return sha256(text.encode()).digest()


def find_key(keys: Iterable[ApiKey], text: str) -> ApiKey | None:
    """The key with this text. How long it takes tells nothing of the digests, nor which of them fits."""
    if not KEY.fullmatch(text):
        return None
    digest, found = digest_of(text), None
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            found = key
    return found


def in_order(scopes: Iterable[Scope]) -> list[Scope]:
    return sorted(scopes, key=SCOPES.index)


def read_api_keys(text: str) -> tuple[ApiKey, ...]:
    """The keys of "name=scope+scope:sha256hex,…". ValueError says which entry is wrong, and how."""
    keys: list[ApiKey] = []
    for number, entry in enumerate(filter(None, map(str.strip, text.split(","))), 1):
        try:
            key = _read(entry)
            if any(other.name == key.name for other in keys):
                raise ValueError(f"there is a key {key.name} before it")
            if any(other.digest == key.digest for other in keys):
                raise ValueError(f"the key of {key.name} has another name before it")
        except ValueError as error:
            raise ValueError(f"entry {number}: {error}") from None
        keys.append(key)
    if len(keys) > MAX_KEYS:
        raise ValueError(f"{len(keys)} keys are more than {MAX_KEYS}")
    return tuple(keys)


def _read(entry: str) -> ApiKey:
    name, equals, rest = entry.partition("=")
    scopes, colon, digest = rest.partition(":")
    if not (equals and colon and _NAME.fullmatch(name)):
        raise ValueError("expected name=scope+scope:sha256, as `undertone keys new` prints it")
    if digest.startswith(PREFIX):
        raise ValueError(f"has the key of {name} itself; its SHA-256 belongs there")
    if not _DIGEST.fullmatch(digest):
        raise ValueError(f"expected the SHA-256 of the key of {name}, 64 hexadecimal digits")
    return ApiKey(name, scopes_of(scopes.split("+")), bytes.fromhex(digest))
