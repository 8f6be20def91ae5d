"""A server that is away is told from one that refuses, whatever gRPC calls the broken connection."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest
from tritonclient.grpc import service_pb2

from export.errors import ExportError
from export.triton import connected
from export.tuning.server import TrialTriton

SETTINGS_FRAME = b"\0\0\0\x04\0\0\0\0\0"


@contextmanager
def breaking_connections() -> Iterator[str]:
    """A server that greets as gRPC does, reads the request, and is gone."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(SETTINGS_FRAME)
                    # The client's greeting, with its request or before it.
                    connection.recv(65_536)

        with ThreadPoolExecutor(1) as thread:
            thread.submit(serve)
            try:
                yield "{}:{}".format(*listener.getsockname())
            finally:
                listener.shutdown(socket.SHUT_RDWR)


def says_not_ready(request: bytes, context: grpc.ServicerContext) -> bytes:
    """What Triton says of a model that is being replaced."""
    context.abort(grpc.StatusCode.UNAVAILABLE, "the model is not ready")
    raise AssertionError("abort raises")


@contextmanager
def refusing() -> Iterator[str]:
    """A live server that loads nothing."""
    with ThreadPoolExecutor(1) as threads:
        live = service_pb2.ServerLiveResponse(live=True).SerializeToString()
        methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            "ServerLive": grpc.unary_unary_rpc_method_handler(lambda _request, _context: live),
            "RepositoryModelLoad": grpc.unary_unary_rpc_method_handler(says_not_ready),
        }
        handler = grpc.method_handlers_generic_handler("inference.GRPCInferenceService", methods)
        server = grpc.server(threads, handlers=[handler])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()


def test_a_connection_that_breaks_is_a_server_that_is_away() -> None:
    with breaking_connections() as url:
        with connected([url]) as [server], pytest.raises(ExportError, match=f"{url} is not reachable: .*--offline"):
            server.load("irony")
        trial = TrialTriton(url)
        with pytest.raises(ExportError, match=f"{url} is not reachable: .*--triton"):
            trial.load("irony")
        trial.close()


def test_what_a_live_server_says_is_passed_on() -> None:
    with (
        refusing() as url,
        connected([url]) as [server],
        pytest.raises(ExportError, match=f"{url} cannot load irony: the model is not ready"),
    ):
        server.load("irony")
