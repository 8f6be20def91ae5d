"""Triton over gRPC. One long-lived channel a process; Triton's errors in our own terms."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray
from opentelemetry.trace import Span, SpanKind
from tritonclient.grpc import InferInput, InferRequestedOutput, InferResult
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.grpc.model_config_pb2 import ModelConfig
from tritonclient.grpc.service_pb2 import ModelStatisticsResponse
from tritonclient.utils import InferenceServerException

from services.common.errors import Rejected, Transient
from services.common.traces import TRACEPARENT, child, traceparent_of
from services.inference.access import ADVICE, OPEN, RESTRICTED, Access

# The input was refused for what it is. Everything else (away, overloaded, out of time, a model that is loading or
# whose backend crashed) may pass.
_REJECTING = ("StatusCode.INVALID_ARGUMENT", "StatusCode.OUT_OF_RANGE", "StatusCode.UNIMPLEMENTED")
_UNKNOWN_MODEL = "StatusCode.NOT_FOUND"
_METHOD = "inference.GRPCInferenceService/ModelInfer"
# How long closing waits for requests that nobody waits for any more.
CLOSE_TIMEOUT_S = 5.0


class TritonClient:
    def __init__(self, client: InferenceServerClient, url: str, timeout_s: float) -> None:
        self._client = client
        host, _, port = url.rpartition(":")
        self._host, self._port = host, int(port)
        self._timeout_s = timeout_s
        self._at_triton: set[asyncio.Task[InferResult]] = set()

    async def model_config(self, model: str) -> ModelConfig:
        """The configuration that Triton serves `model` with."""
        with triton_errors(model):
            response = await self._client.get_model_config(model, client_timeout=self._timeout_s)
        return response.config

    async def find_model_config(self, model: str) -> ModelConfig | None:
        """The same; None where Triton serves no such model."""
        try:
            return await self.model_config(model)
        except Transient as error:
            cause = error.__cause__
            if isinstance(cause, InferenceServerException) and cause.status() == _UNKNOWN_MODEL:
                return None
            raise

    async def statistics(self, timeout_s: float | None = None) -> ModelStatisticsResponse:
        """What the server has counted of every version that is loaded."""
        with triton_errors():
            return await self._client.get_inference_statistics(client_timeout=timeout_s or self._timeout_s)

    async def server(self) -> tuple[str, str]:
        """The server's name and version."""
        with triton_errors():
            metadata = await self._client.get_server_metadata(client_timeout=self._timeout_s)
        return metadata.name, metadata.version

    async def infer(
        self, model: str, version: int, ids: NDArray[np.int64], mask: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Logits `[rows, labels]` of token ids and mask, `[rows, length]` both, by exactly this version."""
        inputs = []
        for name, array in (("input_ids", ids), ("attention_mask", mask)):
            tensor = InferInput(name, list(array.shape), "INT64")
            tensor.set_data_from_numpy(array)
            inputs.append(tensor)
        with self._span(model, version, ids) as span, triton_errors(model):
            traceparent = traceparent_of(span)
            request = self._client.infer(
                model,
                inputs,
                model_version=str(version),
                outputs=[InferRequestedOutput("logits")],
                headers={TRACEPARENT: traceparent} if traceparent else None,
                # Past it the request is cancelled, and Triton drops it where it still waits in the queue.
                client_timeout=self._timeout_s,
            )
            result = await self._to_its_end(request)
            span.set_attribute("rpc.response.status_code", "OK")
            logits = result.as_numpy("logits")
        if logits is None or logits.shape[:1] != ids.shape[:1] or logits.dtype != np.float32:
            raise Transient(f"Triton answered {model} with no logits for {ids.shape[0]} rows", service="Triton")
        if not np.isfinite(logits).all():
            raise Transient(f"Triton answered {model} with logits that are not finite", service="Triton")
        return np.asarray(logits, dtype=np.float32)

    def _span(self, model: str, version: int, ids: NDArray[np.int64]) -> AbstractContextManager[Span]:
        """Triton's own spans are within this one."""
        rows, length = ids.shape
        return child(
            _METHOD,
            {
                "rpc.system.name": "grpc",
                "rpc.method": _METHOD,
                "server.address": self._host,
                "server.port": self._port,
                "undertone.model.name": model,
                "undertone.model.version": version,
                "undertone.rows": rows,
                "undertone.tokens_per_row": length,
            },
            SpanKind.CLIENT,
        )

    async def _to_its_end(self, request: Coroutine[Any, Any, InferResult]) -> InferResult:
        """The result. Where we are cancelled, the request is not: its answer comes, and is thrown away.

        A cancellation that meets the answer on its way out crashes the server, about one in ten thousand does
        (triton-inference-server/server issue 8034).
        """
        task = asyncio.create_task(request)
        self._at_triton.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[InferResult]) -> None:
        self._at_triton.discard(task)
        # Where nobody waits any more, nobody has to hear of the error: it is asked for, or asyncio would log it.
        if not task.cancelled():
            task.exception()

    async def close(self) -> None:
        """Waits for what is still at Triton, but not for long."""
        if self._at_triton:
            await asyncio.wait(self._at_triton, timeout=CLOSE_TIMEOUT_S)
        await self._client.close()


@asynccontextmanager
async def open_triton(url: str, timeout_s: float, access: Access = OPEN) -> AsyncIterator[TritonClient]:
    """A client for `host:port`; it connects with the first request, and again by itself whenever Triton was away."""
    client = access.aio_client(
        url,
        # These replace the library's defaults, message sizes among them.
        channel_args=[
            ("grpc.max_send_message_length", -1),
            ("grpc.max_receive_message_length", -1),
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.keepalive_timeout_ms", 10_000),
            ("grpc.http2.max_pings_without_data", 0),
            # Back within seconds of Triton's return; gRPC's own maximum is two minutes.
            ("grpc.initial_reconnect_backoff_ms", 200),
            ("grpc.max_reconnect_backoff_ms", 2_000),
        ],
    )
    triton = TritonClient(client, url, timeout_s)
    try:
        yield triton
    finally:
        await triton.close()


@contextmanager
def triton_errors(model: str = "") -> Iterator[None]:
    """Transient where a later try may succeed, Rejected where this input never will."""
    try:
        yield
    except InferenceServerException as error:
        whom = f"Triton, model {model}" if model else "Triton"
        sentence = f"{whom}: {error.message()} ({error.status()})"
        if RESTRICTED in error.message():
            sentence = f"{sentence}; {ADVICE}"
        if error.status() in _REJECTING:
            raise Rejected(sentence) from error
        raise Transient(sentence, service="Triton") from error
    except (grpc.RpcError, OSError) as error:
        raise Transient(f"Triton is not reachable: {error}", service="Triton") from error
