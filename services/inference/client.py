"""Triton over gRPC: one server or several that serve the same models. Triton's errors in our own terms."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any, TypeVar

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
from services.inference import metrics
from services.inference.access import ADVICE, OPEN, RESTRICTED, Access
from services.inference.servers import Server, Servers

T = TypeVar("T")

# The input was refused for what it is. Everything else (away, overloaded, out of time, a model that is loading or
# whose backend crashed) may pass.
_REJECTING = ("StatusCode.INVALID_ARGUMENT", "StatusCode.OUT_OF_RANGE", "StatusCode.UNIMPLEMENTED")
# A server says so of a version that it lacks, and of all of them while it drains.
_NOT_FOUND = "StatusCode.NOT_FOUND"
_OUT_OF_TIME = "StatusCode.DEADLINE_EXCEEDED"
# The server cannot be reached, or its connection broke.
_UNREACHED = ("StatusCode.UNAVAILABLE", "StatusCode.CANCELLED")
_METHOD = "inference.GRPCInferenceService/ModelInfer"
# How many servers may fail at one request, those apart that lack the version: it may be the request that breaks them.
MAX_FAILURES = 3
# What is asked of each of several servers is waited for so long, and for half the time of who asks at most: what the
# others say must not come too late for one that hangs.
EACH_TIMEOUT_S = 5.0
_CHANNEL = (
    # These replace the library's defaults, message sizes among them.
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    # Back within seconds of Triton's return; gRPC's own maximum is two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)


class TritonClient:
    """What is asked about models and counters goes to every server that is at work, a request to one of them."""

    def __init__(self, servers: Servers, timeout_s: float) -> None:
        self._servers = servers
        self._timeout_s = timeout_s

    async def model_config(self, model: str) -> ModelConfig:
        """The configuration that Triton serves `model` with; of different versions that which most servers have."""
        answers = await self._ask_each(
            lambda client, timeout_s: client.get_model_config(model, client_timeout=timeout_s), model
        )
        return _prevailing([answer.config for answer in answers.values()])

    async def find_model_config(self, model: str) -> ModelConfig | None:
        """The same; None where Triton serves no such model."""
        try:
            return await self.model_config(model)
        except Transient as error:
            if _status(error) == _NOT_FOUND:
                return None
            raise

    async def statistics(self, timeout_s: float | None = None) -> dict[str, ModelStatisticsResponse]:
        """What each server, by its address, has counted of every version that is loaded."""
        return await self._ask_each(
            lambda client, limit_s: client.get_inference_statistics(client_timeout=limit_s), timeout_s=timeout_s
        )

    async def server(self) -> tuple[str, str]:
        """The name and version of the first server that answers."""
        answers = await self._ask_each(lambda client, timeout_s: client.get_server_metadata(client_timeout=timeout_s))
        metadata = next(iter(answers.values()))
        return metadata.name, metadata.version

    async def _ask_each(
        self,
        question: Callable[[InferenceServerClient, float], Coroutine[Any, Any, T]],
        model: str = "",
        timeout_s: float | None = None,
    ) -> dict[str, T]:
        """The answers by address, at least one; raises the first server's failure where none answers."""
        servers = await self._servers.at_work()
        limit_s = timeout_s or self._timeout_s
        if len(servers) > 1:
            limit_s = min(limit_s / 2, EACH_TIMEOUT_S)

        async def ask(server: Server) -> T:
            with triton_errors(model, self._servers.said_of(server)):
                return await server.run(question(server.client, limit_s))

        found = await asyncio.gather(*(ask(server) for server in servers), return_exceptions=True)
        answers: dict[str, T] = {}
        failures: list[Transient | Rejected] = []
        for server, each in zip(servers, found, strict=True):
            if isinstance(each, Transient | Rejected):
                failures.append(each)
                # Who asks with a limit of its own takes a server that is slow for what it is.
                if _status(each) in _UNREACHED or (_status(each) == _OUT_OF_TIME and timeout_s is None):
                    self._servers.could_not(server, str(each))
            elif isinstance(each, BaseException):
                raise each
            else:
                answers[server.address] = each
        if not answers:
            raise failures[0]
        return answers

    async def infer(
        self, model: str, version: int, ids: NDArray[np.int64], mask: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Logits `[rows, labels]` of token ids and mask, `[rows, length]` both, by exactly this version.

        A request that one server cannot answer goes to another one, within the same deadline.
        """
        inputs = []
        for name, array in (("input_ids", ids), ("attention_mask", mask)):
            tensor = InferInput(name, list(array.shape), "INT64")
            tensor.set_data_from_numpy(array)
            inputs.append(tensor)
        deadline = time.monotonic() + self._timeout_s
        failures: dict[Server, Transient] = {}
        while server := await self._servers.next((model, version), failures):
            try:
                with (
                    self._span(server, model, version, ids) as span,
                    triton_errors(model, self._servers.said_of(server)),
                ):
                    traceparent = traceparent_of(span)
                    request = server.client.infer(
                        model,
                        inputs,
                        model_version=str(version),
                        outputs=[InferRequestedOutput("logits")],
                        headers={TRACEPARENT: traceparent} if traceparent else None,
                        # Past it the request is cancelled, and Triton drops it where it still waits in the queue.
                        client_timeout=deadline - time.monotonic(),
                    )
                    result = await server.run_to_its_end(request, model)
                    span.set_attribute("rpc.response.status_code", "OK")
                    return _logits(result, model, ids)
            except Transient as failure:
                status = _status(failure)
                if not status:  # it answered, and what it says cannot be used
                    raise
                failures[server] = failure
                self._servers.could_not(server, str(failure), (model, version))
                broken = sum(_status(each) != _NOT_FOUND for each in failures.values())
                if status == _OUT_OF_TIME or broken == MAX_FAILURES or time.monotonic() >= deadline:
                    break
                metrics.ELSEWHERE.labels(status.removeprefix("StatusCode.")).inc()
        raise _of_all(failures)

    def _span(self, server: Server, model: str, version: int, ids: NDArray[np.int64]) -> AbstractContextManager[Span]:
        """Triton's own spans are within this one."""
        rows, length = ids.shape
        host, _, port = server.address.rpartition(":")
        return child(
            _METHOD,
            {
                "rpc.system.name": "grpc",
                "rpc.method": _METHOD,
                "server.address": host,
                "server.port": int(port),
                "undertone.model.name": model,
                "undertone.model.version": version,
                "undertone.rows": rows,
                "undertone.tokens_per_row": length,
            },
            SpanKind.CLIENT,
        )

    async def close(self) -> None:
        """Waits for what is still at Triton, but not for long."""
        await self._servers.close()


def _logits(result: InferResult, model: str, ids: NDArray[np.int64]) -> NDArray[np.float32]:
    logits = result.as_numpy("logits")
    if logits is None or logits.shape[:1] != ids.shape[:1] or logits.dtype != np.float32:
        raise Transient(f"Triton answered {model} with no logits for {ids.shape[0]} rows", service="Triton")
    if not np.isfinite(logits).all():
        raise Transient(f"Triton answered {model} with logits that are not finite", service="Triton")
    return np.asarray(logits, dtype=np.float32)


def _prevailing(configs: Sequence[ModelConfig]) -> ModelConfig:
    """That of the version that most servers have, of the newer one where as many have two: a roll-out ends."""

    def version(config: ModelConfig) -> int:
        text = config.parameters["version"].string_value if "version" in config.parameters else ""
        return int(text) if text.isdecimal() else 0

    counts = Counter(version(config) for config in configs)
    return max(configs, key=lambda config: (counts[version(config)], version(config)))


def _status(failure: Transient | Rejected) -> str:
    """gRPC's of the answer that it came from; empty where it came from none."""
    cause = failure.__cause__
    return str(cause.status()) if isinstance(cause, InferenceServerException) else ""


def _of_all(failures: dict[Server, Transient]) -> Transient:
    """The last of them, which says what the servers before had said."""
    *former, (_, last) = failures.items()
    if not former:
        return last
    before = ", ".join(f"{server.address} ({_status(failure)})" for server, failure in former)
    told = Transient(f"{last}; asked before: {before}", service=last.service)
    told.__cause__ = last.__cause__
    return told


@asynccontextmanager
async def open_triton(url: str, timeout_s: float, access: Access = OPEN) -> AsyncIterator[TritonClient]:
    """A client for `host:port`, or several with a comma between; see Servers.

    It connects with the first request, and again by itself whenever Triton was away.
    """

    def opening(address: str, host: str) -> InferenceServerClient:
        named = () if address.rpartition(":")[0] == host else (("grpc.ssl_target_name_override", host),)
        return access.aio_client(address, channel_args=[*_CHANNEL, *named])

    triton = TritonClient(Servers(url.split(","), opening, timeout_s), timeout_s)
    try:
        yield triton
    finally:
        await triton.close()


@contextmanager
def triton_errors(model: str = "", address: str = "") -> Iterator[None]:
    """Transient where a later try may succeed, Rejected where this input never will."""
    triton = f"Triton at {address}" if address else "Triton"
    try:
        yield
    except InferenceServerException as error:
        whom = f"{triton}, model {model}" if model else triton
        sentence = f"{whom}: {error.message()} ({error.status()})"
        if RESTRICTED in error.message():
            sentence = f"{sentence}; {ADVICE}"
        if error.status() in _REJECTING:
            raise Rejected(sentence) from error
        raise Transient(sentence, service="Triton") from error
    except (grpc.RpcError, OSError) as error:
        raise Transient(f"{triton} is not reachable: {error}", service="Triton") from error
