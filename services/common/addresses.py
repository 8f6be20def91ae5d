"""Addresses in settings: whether a client can make anything of them, told at the start and not by its traceback."""

from urllib.parse import urlsplit

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


def is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and 1 <= int(text[:6]) <= 65_535
