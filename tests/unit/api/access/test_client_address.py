"""Whose address counts: what our proxies wrote, nothing that a client invented."""

import pytest
from starlette.types import Receive, Scope, Send

from services.api.access.client_address import ClientAddress, counted_address

PROXY = ("10.0.0.2", 4321)


async def seen(hops: int, *forwarded: tuple[str, str], kind: str = "http") -> Scope:
    """The scope as the application sees it, of a request that the proxy at `PROXY` passed on."""
    found: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found.append(scope)

    async def unused() -> Scope:
        raise AssertionError

    async def unsent(message: Scope) -> None:
        raise AssertionError

    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in forwarded]
    scheme = {"http": "http", "websocket": "ws"}[kind]
    scope = {"type": kind, "client": PROXY, "scheme": scheme, "headers": headers}
    await ClientAddress(app, hops)(scope, unused, unsent)
    return found[0]


@pytest.mark.parametrize(
    ("hops", "lines", "address"),
    [
        (0, ["203.0.113.9"], "10.0.0.2"),
        (1, [], "10.0.0.2"),
        (1, ["203.0.113.9"], "203.0.113.9"),
        # The client sent the first ones itself.
        (1, ["127.0.0.1, 198.51.100.1, 203.0.113.9"], "203.0.113.9"),
        (1, ["127.0.0.1", "203.0.113.9"], "203.0.113.9"),
        (2, ["127.0.0.1, 203.0.113.9, 10.0.0.1"], "203.0.113.9"),
        # It came by fewer proxies than there are: what is there was written by one of them.
        (2, ["203.0.113.9"], "203.0.113.9"),
        (1, ["2001:db8::7"], "2001:db8::7"),
        # No address: the proxy is not as we think, and its own address is all that is known.
        (1, ["unknown"], "10.0.0.2"),
        (1, ["127.0.0.1, "], "10.0.0.2"),
        (1, ["203.0.113.9:443"], "10.0.0.2"),
    ],
)
async def test_the_address_is_counted_from_the_right(hops: int, lines: list[str], address: str) -> None:
    scope = await seen(hops, *(("X-Forwarded-For", line) for line in lines))
    assert scope["client"][0] == address


@pytest.mark.parametrize(
    ("hops", "sent", "kind", "scheme"),
    [
        (0, "https", "http", "http"),
        (1, "https", "http", "https"),
        (1, "http, https", "http", "https"),
        (1, "https, http", "http", "http"),
        (1, "https", "websocket", "wss"),
        (1, "gopher", "http", "http"),
    ],
)
async def test_so_is_the_scheme(hops: int, sent: str, kind: str, scheme: str) -> None:
    assert (await seen(hops, ("X-Forwarded-Proto", sent), kind=kind))["scheme"] == scheme


@pytest.mark.parametrize(
    ("client", "counted"),
    [
        (("203.0.113.9", 1), "203.0.113.9"),
        (("::ffff:203.0.113.9", 1), "203.0.113.9"),
        # A customer has all of it.
        (("2001:db8:1:2:3:4:5:6", 1), "2001:db8:1:2::"),
        (("2001:db8:1:2::9", 1), "2001:db8:1:2::"),
        (None, ""),
        (("", 0), ""),
    ],
)
def test_what_belongs_to_one_client_counts_as_one(client: tuple[str, int] | None, counted: str) -> None:
    assert counted_address({"client": client}) == counted
