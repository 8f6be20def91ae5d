"""The connections of the client of Redis, mended in two places where the library's own are slow or break."""

from collections.abc import Iterable
from typing import Any, TypeVar, cast

import hiredis
from redis.asyncio import Connection, SSLConnection
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError, DataError


class _Mended(AbstractConnection):
    def pack_command(self, *args: Any) -> list[bytes]:
        """Packs in C, as the library does where nothing is asynchronous; its other way takes five times as long, which
        was a fifth of what a post cost the ingester.
        """
        # "CONFIG GET" is two words to the server.
        name = args[0].encode() if isinstance(args[0], str) else args[0]
        try:
            return [hiredis.pack_command((*name.split(), *args[1:]))]
        except TypeError as error:
            raise DataError(str(error)) from None

    async def _send_packed_command(self, command: Iterable[bytes]) -> None:
        # It may be closed under the hands of who has just taken it: it was reset a moment ago, or another task closes
        # it, as a client of a cluster does with all that are free when it hears of other nodes. The library would end
        # with an AttributeError, or with what the loop says of such a transport: a RuntimeError, or a TypeError.
        if self._writer is None or self._writer.is_closing():
            raise ConnectionError("the connection is closed")
        await super()._send_packed_command(command)


class _Plain(_Mended, Connection):
    pass


class _Tls(_Mended, SSLConnection):
    pass


_Kind = TypeVar("_Kind", bound=AbstractConnection)

_MENDED: dict[type[AbstractConnection], type[AbstractConnection]] = {Connection: _Plain, SSLConnection: _Tls}


def mended(connection_class: type[_Kind]) -> type[_Kind]:
    """The same kind of connection; of another kind than TCP and TLS, as it is."""
    return cast(type[_Kind], _MENDED.get(connection_class, connection_class))
