"""Who a request comes from, what they may do, and how much of it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import Scope as AsgiScope

from services.api.access.client_address import counted_address
from services.api.access.refusals import missing, rate, scope_too_small, too_many_connections, unknown
from services.api.access.scopes import Need
from services.api.access.token_buckets import TokenBuckets
from services.common.api_keys import SCOPES, ApiKey, Scope, find_key

# Where the ASGI scope has the caller, for the log.
CALLER = "undertone.caller"
COOKIE = "undertone_session"
# Of one address. Guessing a key is hopeless at any rate: it keeps the log short. A right key is let in all the same:
# behind one address there may be many, of whom one has an old key in a script.
WRONG_KEYS_PER_MINUTE = 30


@dataclass(frozen=True)
class Caller:
    """`key`: the name of theirs; None where no key is asked for. `counted_as`: whose limits these are."""

    key: str | None
    scopes: frozenset[Scope]
    counted_as: str

    def may(self, need: Need) -> bool:
        return "admin" in self.scopes or not need.isdisjoint(self.scopes)


class Callers:
    """Knows callers by their keys; where there are no keys, everybody may do everything."""

    def __init__(
        self, keys: Sequence[ApiKey] = (), *, requests_per_minute: int = 0, websockets_per_client: int = 100
    ) -> None:
        self._keys = keys
        self._requests = TokenBuckets(requests_per_minute)
        self._wrong_keys = TokenBuckets(WRONG_KEYS_PER_MINUTE)
        self._max_connections = websockets_per_client
        self._connections: Counter[str] = Counter()

    @property
    def need_keys(self) -> bool:
        return bool(self._keys)

    def caller_of(self, scope: AsgiScope) -> Caller | None:
        """None without a key; Refused with a wrong one."""
        address = counted_address(scope)
        if not self._keys:
            return Caller(None, frozenset(SCOPES), address)
        headers = Headers(scope=scope)
        if text := _sent_by_program(headers):
            key = self.key_of(scope, text)
            return Caller(key.name, key.scopes, key.name)
        if kept := cookie_parser(headers.get("cookie", "")).get(COOKIE):
            key = self.key_of(scope, kept)
            # One key may be that of many who look at the dashboard.
            return Caller(key.name, key.scopes, f"{key.name} {address}")
        return None

    def key_of(self, scope: AsgiScope, text: str) -> ApiKey:
        """The key with this text; Refused if there is none."""
        key = find_key(self._keys, text)
        if key is None:
            raise unknown(self._wrong_keys.take(counted_address(scope)))
        return key

    def known_caller(self, scope: AsgiScope) -> Caller:
        """Refused also without a key."""
        caller = self.caller_of(scope)
        if caller is None:
            self._take(counted_address(scope))
            raise missing()
        return caller

    def admit(self, caller: Caller, need: Need) -> None:
        """Refused where the scope does not suffice, and beyond API_REQUESTS_PER_MINUTE."""
        self._take(caller.counted_as, caller.key)
        if not caller.may(need):
            raise scope_too_small(need, caller.key)

    @contextmanager
    def connection(self, caller: Caller) -> Iterator[None]:
        """A place for a live connection; Refused if they have as many as they may."""
        if self._connections[caller.counted_as] >= self._max_connections:
            raise too_many_connections(self._max_connections, caller.key)
        self._connections[caller.counted_as] += 1
        try:
            yield
        finally:
            self._connections[caller.counted_as] -= 1
            if not self._connections[caller.counted_as]:
                del self._connections[caller.counted_as]

    def _take(self, counted_as: str, key: str | None = None) -> None:
        waits_s = self._requests.take(counted_as)
        if waits_s:
            raise rate(waits_s, key)


def _sent_by_program(headers: Headers) -> str:
    """The key in Authorization or X-API-Key; empty without. Of Authorization only Bearer is meant for us."""
    scheme, _, text = headers.get("authorization", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "").strip()
