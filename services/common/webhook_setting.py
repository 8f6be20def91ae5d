"""ALERT_WEBHOOKS: names and URLs, told at the start where they are none; a complaint never shows a URL."""

import re
from urllib.parse import urlsplit

from services.common.addresses import check_host

MAX_WEBHOOKS = 10
MAX_URL_CHARS = 2_000
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,29}")


def read_webhooks(text: str) -> dict[str, str]:
    """URLs by name, of "name=url,name2=url2". ValueError says which entry is wrong, and how."""
    webhooks: dict[str, str] = {}
    for number, entry in enumerate(filter(None, map(str.strip, text.split(","))), 1):
        name, equals, url = entry.partition("=")
        if not equals or not _NAME.fullmatch(name):
            raise ValueError(
                f"entry {number}: expected name=https://…, a name of up to 30 small letters, digits, - and _;"
                " write %2C for a comma in a URL"
            )
        if name in webhooks:
            raise ValueError(f"entry {number}: there is a webhook {name} before it")
        _check(url, number, name)
        webhooks[name] = url
    if len(webhooks) > MAX_WEBHOOKS:
        raise ValueError(f"{len(webhooks)} webhooks are more than {MAX_WEBHOOKS}")
    return webhooks


def _check(url: str, number: int, name: str) -> None:
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.port == 0 or "#" in url or not url.isascii():
            raise ValueError
        if not url.isprintable() or " " in url or len(url) > MAX_URL_CHARS:
            raise ValueError
        check_host(parts.hostname or "")
    except ValueError:
        expected = "http:// or https://, a host and a path, in ASCII"
        raise ValueError(f"entry {number}: the URL of {name} is not usable; expected {expected}") from None
