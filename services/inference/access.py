"""With what Triton lets us in: a key for its restricted protocols, and whose certificate we trust."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from tritonclient import grpc as blocking
from tritonclient.grpc import aio

if TYPE_CHECKING:  # the exporter, which uses this as well, has none of the libraries of our settings
    from services.common.settings import Settings

# Triton's name of it: what follows the third hyphen is the name that it was started with.
KEY_HEADER = "triton-grpc-protocol-undertone-key"
# What Triton says to who has no key or another one.
RESTRICTED = "protocol is restricted"
ADVICE = "set TRITON_KEY to the key that Triton was started with (--grpc-restricted-protocol=…:undertone-key=KEY)"

Options = Sequence[tuple[str, int | str]]


@dataclass(frozen=True)
class Access:
    """`key`: empty where nothing is restricted. `tls_ca`: a file of certificates in PEM; empty: no TLS."""

    key: str = field(default="", repr=False)
    tls_ca: str = ""

    @classmethod
    def of(cls, settings: "Settings") -> "Access":
        return cls(settings.triton_key, settings.triton_tls_ca)

    def client(self, url: str) -> blocking.InferenceServerClient:
        """A client for `host:port` that waits."""
        return self._with_key(blocking.InferenceServerClient(url, creds=self._credentials()))

    def aio_client(self, url: str, channel_args: Options | None = None) -> aio.InferenceServerClient:
        """One for an event loop; `channel_args` replace the library's."""
        return self._with_key(aio.InferenceServerClient(url, creds=self._credentials(), channel_args=channel_args))

    def _credentials(self) -> grpc.ChannelCredentials | None:
        return grpc.ssl_channel_credentials(Path(self.tls_ca).read_bytes()) if self.tls_ca else None

    def _with_key(self, client: Any) -> Any:
        if self.key:
            client.register_plugin(_adding(self.key))
        return client


# Where nothing is asked for.
OPEN = Access()


def _adding(key: str) -> Callable[[Any], None]:
    """Called by the library with every request."""

    def add(request: Any) -> None:
        request.headers[KEY_HEADER] = key

    return add
