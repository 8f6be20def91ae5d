"""Whether a request is ours: browsers let any page open a WebSocket, and send simple requests, to any server."""

from starlette.datastructures import Headers


def is_same_origin(headers: Headers) -> bool:
    """Whether a page of this host asks, or something that is no browser."""
    origin = headers.get("origin")
    if origin is None:
        return True
    scheme, _, origin_host = origin.lower().partition("://")
    default_port = {"http": ":80", "https": ":443"}.get(scheme)
    # Browsers leave the default port out of Origin; a client's Host may have it.
    host = headers.get("host", "").lower()
    return default_port is not None and bool(host) and origin_host == host.removesuffix(default_port)
