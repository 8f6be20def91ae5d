"""Addresses in settings: whether a client can make anything of them, told at the start and not by its traceback."""

from ipaddress import ip_address
from urllib.parse import parse_qsl, quote, urlsplit

# What ends the host in a URL, or cannot be in one.
_NOT_IN_HOSTS = frozenset(" /@?#\\")


def check_host(host: str) -> None:
    """ValueError if it is neither a name nor an address."""
    try:
        host.removesuffix(".").encode("idna")
    except UnicodeError:  # an empty label or a long one
        raise ValueError("expected a host's name or address") from None
    if not host or not _NOT_IN_HOSTS.isdisjoint(host):
        raise ValueError("expected a host's name or address")


def check_url(url: str, expected: str) -> None:
    """ValueError, which says what was `expected` and nothing of the URL, if it cannot be taken apart."""
    try:
        parts = urlsplit(url)
        if parts.port == 0 or "#" in url:
            raise ValueError
        if parts.hostname:
            check_host(parts.hostname)
    except ValueError:
        # Most often a password with a sign in it that ends the host.
        raise ValueError(f"expected {expected}, with %2F, %40, %23, … for /, @, # in a password") from None


def in_url(host: str) -> str:
    """The host as a URL has it: an address of IPv6 in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower().removesuffix(".") == "localhost"


def with_query(url: str, **parameters: str) -> str:
    """The URL with these parameters, except those that it has already."""
    present = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    more = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items() if name not in present)
    return f"{url}{'&' if '?' in url else '?'}{more}" if more else url


def is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and 1 <= int(text[:6]) <= 65_535


def hosts_and_ports(text: str, schemes: tuple[str, ...]) -> list[str]:
    """Each `host:port` of a list with commas, without its scheme. ValueError if one is none, or there twice."""
    found = []
    for part in text.split(","):
        address = part.strip()
        for scheme in schemes:
            address = address.removeprefix(scheme)
        host, colon, port = address.rpartition(":")
        if not (host and colon and is_port(port)):
            raise ValueError("expected host:port, or several with a comma between")
        check_host(host)
        found.append(f"{host}:{port}")
    if len(set(found)) < len(found):
        raise ValueError("names a server twice")
    return found


def origin_of(text: str) -> str:
    """An origin as a browser sends it: in lower case, without the default port. ValueError if it is none."""
    expected = "expected origins as https://dashboard.example or http://localhost:3000, with a comma between them"
    if text.strip() == "*":
        # Without API_KEYS, what keeps others out may be no more than where the server can be reached from.
        raise ValueError("* would let every page that anybody here visits read and change everything; name the origins")
    try:
        parts = urlsplit(text.strip().lower().removesuffix("/"))
        port = parts.port
        if (
            parts.scheme not in ("http", "https")
            or parts.path
            or parts.query
            or parts.fragment
            or not {"@", "*"}.isdisjoint(parts.netloc)
        ):
            raise ValueError
        check_host(parts.hostname or "")
    except ValueError:
        raise ValueError(expected) from None
    host = in_url(parts.hostname or "")
    is_default = port is None or port == {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" if is_default else f"{parts.scheme}://{host}:{port}"
