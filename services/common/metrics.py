"""Prometheus text over HTTP, for the services that have no web server of their own."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import Counter, start_http_server

from services.common.errors import ConfigurationError


@contextmanager
def serve_metrics(host: str, port: int, setting: str) -> Iterator[None]:
    """Serves `/metrics` on that address from a thread of its own while the block runs; port 0 serves nothing."""
    if port == 0:
        yield
        return
    try:
        server, thread = start_http_server(port, addr=host)
    except OSError as error:
        raise ConfigurationError(
            f"cannot serve metrics on {host}:{port} ({error}); set {setting}, or METRICS_HOST"
        ) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def start_at_zero(counter: Counter, values: Iterable[str]) -> None:
    """Shows the counter of each value of its one label from the start.

    Prometheus sees no increase in a first sample: what first shows as 1 would have happened unnoticed.
    """
    for value in values:
        counter.labels(value)
