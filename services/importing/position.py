"""How far a file is imported. It is kept in Redis, beside what was published: who loses the one loses both."""

from hashlib import sha256

import msgspec

from services.archives.columns import Columns
from services.archives.inputs import Input
from services.common.cluster import Client
from services.common.streams import redis_errors

KEPT_S = 30 * 86_400


class Position(msgspec.Struct, kw_only=True):
    """`blocks` are done, with `published` posts, so many `refused` records by reason, and so many posts that a rule
    has `kept_out`; `rejects_bytes`: of the file of those that were refused.
    """

    blocks: int = 0
    published: int = 0
    refused: dict[str, int] = {}
    kept_out: dict[str, int] = {}
    rejects_bytes: int = 0
    is_done: bool = False


class Positions:
    """Positions by file and by what makes other blocks or other posts of it."""

    def __init__(self, redis: Client, stream: str, columns: Columns, block_rows: int) -> None:
        self._redis = redis
        self._stream = stream
        self._reading = [sorted(columns.named.items()), columns.source, block_rows]

    async def load(self, file: Input) -> Position:
        """The beginning if there is none. Transient if Redis is away."""
        with redis_errors():
            found = await self._redis.get(self._key(file))
        return msgspec.json.decode(found, type=Position) if found else Position()

    async def save(self, file: Input, position: Position) -> None:
        with redis_errors():
            await self._redis.set(self._key(file), msgspec.json.encode(position), ex=KEPT_S)

    def _key(self, file: Input) -> str:
        facts = msgspec.json.encode([file, self._reading])
        return f"{self._stream}:import:{sha256(facts).hexdigest()[:32]}"
