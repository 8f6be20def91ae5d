"""The running Triton, as a promotion sees it: load, unload, what is served, does it answer."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from tritonclient.grpc import InferInput
from tritonclient.grpc.model_config_pb2 import ModelConfig
from tritonclient.utils import InferenceServerException

from export.errors import ExportError
from services.inference.access import ADVICE, OPEN, RESTRICTED, Access

# Asking takes milliseconds; a load takes seconds for small models and minutes where TensorRT builds its engines.
ASK_TIMEOUT_S = 10.0
LOAD_TIMEOUT_S = 1_800.0
# A server under load answers late: its queue may be full for a while.
ANSWER_TIMEOUT_S = 60.0
# What gRPC says where the connection cannot be made or breaks; a server may say the same.
_UNCLEAR = ("StatusCode.UNAVAILABLE", "StatusCode.UNKNOWN")
_BUSY = ("StatusCode.UNAVAILABLE", "StatusCode.DEADLINE_EXCEEDED", "StatusCode.RESOURCE_EXHAUSTED")


class Triton:
    """A server at `host:port`. It must run with explicit model control for anything but questions."""

    # What is said where a server has no such control, and where there is none.
    without_control = (
        "does not let models be switched: start it with --model-control-mode=explicit, or switch with --offline and "
        "restart it"
    )
    when_away = "start it, name it with --triton HOST:PORT, or switch with --offline for its next start"

    def __init__(self, url: str, access: Access = OPEN) -> None:
        self.url = url
        self.access = access
        self._client = access.client(url)

    def close(self) -> None:
        self._client.close()

    def check(self) -> None:
        """ExportError unless the server answers."""
        with self._errors("does not answer"):
            if not self._client.is_server_live(client_timeout=ASK_TIMEOUT_S):
                raise ExportError(f"Triton at {self.url} is not live")

    def config(self, name: str) -> ModelConfig | None:
        """The configuration that the model is served with; None where it is not served."""
        try:
            with self._errors("does not answer"):
                return self._client.get_model_config(name, client_timeout=ASK_TIMEOUT_S).config
        except ExportError as error:
            cause = error.__cause__
            if isinstance(cause, InferenceServerException) and "unknown model" in cause.message():
                return None
            raise

    def version(self, name: str) -> int | None:
        """The version that is served, from the configuration's parameter; None where the model is not served."""
        config = self.config(name)
        text = config.parameters["version"].string_value if config and "version" in config.parameters else ""
        return int(text) if text.isdecimal() else None

    def load(self, name: str) -> None:
        """Loads what the repository has under `name` now. What was served goes on until the new model is ready."""
        with self._errors(f"cannot load {name}"):
            self._client.load_model(name, client_timeout=LOAD_TIMEOUT_S)

    def unload(self, name: str) -> None:
        """Takes the model out of service; nothing happens where it is not served."""
        if self.config(name) is not None:
            with self._errors(f"cannot unload {name}"):
                self._client.unload_model(name, client_timeout=LOAD_TIMEOUT_S)

    def answer(self, name: str, version: int, length: int) -> None:
        """A real inference, one row of `length` tokens, by that very version. ExportError where it does not answer."""
        inputs = []
        for tensor in ("input_ids", "attention_mask"):
            inputs.append(InferInput(tensor, [1, length], "INT64"))
            inputs[-1].set_data_from_numpy(np.ones((1, length), np.int64))
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while True:
            try:
                with self._errors(f"loaded {name} version {version}, but gets no answer from it"):
                    self._client.infer(name, inputs, model_version=str(version), client_timeout=ASK_TIMEOUT_S)
                return
            except ExportError as error:
                busy = getattr(error.__cause__, "status", lambda: "")() in _BUSY
                if not busy or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def _away(self, error: InferenceServerException) -> bool:
        """Whether the call failed because there is no server, and not because of what the server said.

        A server that dies while it is asked ends the call in many ways, some of them with no status of their own
        ("Stream removed"), and Triton itself says UNAVAILABLE of a model. So it is asked whether it is there.
        """
        if error.status() not in _UNCLEAR:
            return False
        try:
            self._client.is_server_live(client_timeout=ASK_TIMEOUT_S)
        except InferenceServerException:
            return True
        return False

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except InferenceServerException as error:
            message = error.message()
            if "explicit model load / unload is not allowed" in message:
                raise ExportError(f"Triton at {self.url} {self.without_control}") from error
            if RESTRICTED in message:
                raise ExportError(f"Triton at {self.url} {what}: {message}; {ADVICE}") from error
            if self._away(error):
                raise ExportError(f"Triton at {self.url} is not reachable: {self.when_away}") from error
            raise ExportError(f"Triton at {self.url} {what}: {message}") from error


@contextmanager
def connected(urls: list[str], access: Access = OPEN) -> Iterator[list[Triton]]:
    """A client for each server."""
    servers = [Triton(url, access) for url in urls]
    try:
        yield servers
    finally:
        for server in servers:
            server.close()
