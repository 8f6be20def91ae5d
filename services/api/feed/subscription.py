"""The process's one subscription to the results channel."""

import asyncio
import random
from collections.abc import Callable
from time import monotonic

from redis.asyncio.client import PubSub

from services.api.metrics import ApiMetrics
from services.common.cancellation import stop_if_cancelled
from services.common.cluster import Client, subscribe
from services.common.errors import Transient
from services.common.logging import get_logger
from services.common.messages import AlertMessage, ResultsMessage, decode_message
from services.common.retry import until_done
from services.common.streams import RESULTS_CHANNEL, redis_errors

log = get_logger(__name__)

# After so long without a message the server is pinged; after twice as long without an answer the connection is dead.
QUIET_S = 10.0
CONFIRMATION_TIMEOUT_S = 5.0
# Subscribing takes milliseconds; longer means that it does not succeed.
CHECK_TIMEOUT_S = 1.0


class Subscription:
    """Reads the channel for ever and hands each message on; heals by itself when Redis was away."""

    def __init__(
        self, redis: Client, deliver: Callable[[ResultsMessage | AlertMessage], None], metrics: ApiMetrics
    ) -> None:
        self._redis = redis
        self._deliver = deliver
        self._metrics = metrics
        self._listening = asyncio.Event()
        self._pubsub: PubSub | None = None

    async def check(self) -> None:
        """Transient if nothing is being received now."""
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                await self._listening.wait()
        except TimeoutError:
            raise Transient(f"the channel {RESULTS_CHANNEL} is not subscribed") from None

    async def run(self, stopping: asyncio.Event) -> None:
        while True:
            try:
                if not await until_done("results channel", self._subscribe, stopping):
                    return
                self._listening.set()
                log.info("listening", channel=RESULTS_CHANNEL)
                with redis_errors():
                    await self._read()
            except Transient as error:
                stop_if_cancelled()
                log.warning("subscription_lost", channel=RESULTS_CHANNEL, reason=str(error))
            finally:
                self._listening.clear()
                if self._pubsub is not None:
                    await self._pubsub.aclose()  # type: ignore[no-untyped-call] # the library leaves it untyped
            # A server that accepts and hangs up at once must not be asked without a pause.
            await asyncio.sleep(random.uniform(0.1, 0.5))

    async def _subscribe(self) -> None:
        """Returns when Redis has confirmed; Transient if it is away."""
        # A connection of its own for each attempt: one that failed half-way remembers half of it.
        with redis_errors():
            self._pubsub = await subscribe(self._redis, RESULTS_CHANNEL, CONFIRMATION_TIMEOUT_S)

    async def _read(self) -> None:
        pubsub = self._pubsub
        assert pubsub is not None
        heard_at = monotonic()
        while True:
            stop_if_cancelled()
            message = await pubsub.get_message(timeout=QUIET_S)
            if message is not None:
                heard_at = monotonic()
                if message["type"] in ("message", "smessage"):
                    self._handle(message["data"])
                elif message["type"] == "sunsubscribe":
                    raise Transient("another node of the cluster has the channel now")
            elif monotonic() - heard_at > 2 * QUIET_S:
                raise Transient(f"no answer for {2 * QUIET_S:g} s")
            else:
                await pubsub.ping("alive")

    def _handle(self, raw: bytes) -> None:
        try:
            message = decode_message(raw)
        except (ValueError, RecursionError) as error:
            self._metrics.bad_messages.inc()
            log.warning("bad_message_skipped", channel=RESULTS_CHANNEL, reason=str(error), size=len(raw))
            return
        self._deliver(message)
