"""Results to whoever listens: one message a stored batch."""

from collections.abc import Sequence

from redis.asyncio import Redis

from services.common.messages import AnalysedPost, ResultsMessage, encode_message
from services.common.streams import RESULTS_CHANNEL, redis_errors


async def announce(redis: Redis, posts: Sequence[AnalysedPost]) -> None:
    """Publishes the batch. Nobody listening loses it: the page reads what it missed from the API."""
    if posts:
        with redis_errors():
            await redis.publish(RESULTS_CHANNEL, encode_message(ResultsMessage(posts=tuple(posts))))
