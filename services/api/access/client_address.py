"""Who asks, where our own proxies stand between: what they wrote counts, what a client wrote itself does not."""

from ipaddress import IPv6Address, ip_address, ip_network

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

# What one customer of a provider has, at least: addresses within it cost nothing.
IPV6_PREFIX_BITS = 64


class ClientAddress:
    """Puts the client's address and scheme where those of the last proxy were.

    Each of `hops` proxies has added one entry on the right. What is further left came from outside and may be invented.
    """

    def __init__(self, app: ASGIApp, hops: int) -> None:
        self._app = app
        self._hops = hops

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._hops and scope["type"] in ("http", "websocket"):
            headers = Headers(scope=scope)
            address = self._added(headers, "X-Forwarded-For")
            if is_address(address):
                scope["client"] = (address, 0)
            if self._added(headers, "X-Forwarded-Proto").lower() == "https":
                scope["scheme"] = "wss" if scope["type"] == "websocket" else "https"
        await self._app(scope, receive, send)

    def _added(self, headers: Headers, name: str) -> str:
        """What the outermost of our proxies saw; of fewer entries than proxies, the first."""
        entries = [entry.strip() for line in headers.getlist(name) for entry in line.split(",")]
        return entries[-self._hops :][0] if entries else ""


def is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def counted_address(scope: Scope) -> str:
    """What limits count: an address of IPv4, a network of IPv6; empty where there is none, as on a Unix socket."""
    client = scope.get("client")
    if not client or not is_address(client[0]):
        return ""
    address = ip_address(client[0])
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ip_network((int(address), IPV6_PREFIX_BITS), strict=False).network_address)
