"""What processes of this machine, or of this container, answer over HTTP."""

import urllib.error
import urllib.request

from services.common.addresses import in_url

LOOPBACK = "127.0.0.1"
HTTP_TIMEOUT_S = 3.0
MAX_BODY_BYTES = 1_000_000

# Never through a proxy.
_http = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def own_url(host: str, port: int, path: str) -> str:
    """How one who listens on `host` is asked from the same machine."""
    return f"http://{LOOPBACK if host in ('0.0.0.0', '::', '') else in_url(host)}:{port}{path}"  # nosec B104 # compared, not listened on


def get(url: str) -> tuple[int, bytes]:
    """Status and body. OSError when nothing answers in time, HTTPException when what answers speaks no HTTP."""
    try:
        with _http.open(url, timeout=HTTP_TIMEOUT_S) as answer:
            return answer.status, answer.read(MAX_BODY_BYTES)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(MAX_BODY_BYTES)
