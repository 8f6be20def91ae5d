"""Finding the posts that a batch fails for, while their neighbours pass.

There are two ways to fail. A dependency that refuses a batch (Rejected) refuses it for what is in it. One that breaks
on it (Transient) may simply be away; but where it answers a probe right before, and then breaks on the same batch,
again and again, something in the batch breaks it: a text that makes a model overflow, or crashes the server. Either way
the batch is split until the culprit stands alone.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from services.common.backoff import attempts
from services.common.cancellation import stop_if_cancelled
from services.common.circuit import Circuit
from services.common.errors import Rejected, Transient
from services.common.retry import RETRIES

Item = TypeVar("Item")
Result = TypeVar("Result")
Blamed = tuple[Item, Rejected | Transient]

# A failing batch is cut into so many parts. Each failure may cost a restart of the server, for everybody: in halves,
# one post of 256 is found after 19 of them, in sixteenths after 7.
PARTS = 16
# So often a batch has to fail, answered probes between, before it is split, or the post that it is down to is given up.
ATTEMPTS = 2
LAST_ATTEMPTS = 3
# When so many posts in a row fail and none passes, the posts are not to blame: nothing more is given up until one does.
MAX_BLAMED_IN_A_ROW = 8


class Isolation(Generic[Item, Result]):
    """One step of the worker, with the circuit of what it depends on."""

    def __init__(
        self,
        action: Callable[[Sequence[Item]], Awaitable[list[Result]]],
        circuit: Circuit,
        what: str,
        *,
        probe_is_proof: bool,
    ) -> None:
        """`action` does all of its items or none. `what` names the step in the metrics.

        `probe_is_proof`: who answers the circuit's probe can do `action`, too. Only then is anybody to blame for a
        failure: a database that can be read may have no room to write.
        """
        self._action = action
        self._circuit = circuit
        self._what = what
        self._probe_is_proof = probe_is_proof
        self._blamed_in_a_row = 0

    async def run(self, items: Sequence[Item]) -> tuple[list[Result], list[Blamed[Item]]]:
        """What `action` gives for all items but those that it fails for, and these with their errors.

        Waits for as long as the dependency is away; nobody is blamed for that.
        """
        if not items:
            return [], []
        try:
            results = await self._attempt(items)
        except (Rejected, Transient) as error:
            if len(items) == 1:
                self._blamed_in_a_row += isinstance(error, Transient)
                return [], [(items[0], error)]
        else:
            self._blamed_in_a_row = 0
            return results, []
        passed: list[Result] = []
        blamed: list[Blamed[Item]] = []
        size = -(-len(items) // PARTS)
        for start in range(0, len(items), size):
            results, refused = await self.run(items[start : start + size])
            passed += results
            blamed += refused
        return passed, blamed

    async def _attempt(self, items: Sequence[Item]) -> list[Result]:
        """Rejected at once, Transient after the last of the attempts."""
        async for attempt in attempts(self._attempts(len(items))):
            with attempt:
                # A failure counts only if a moment before it the dependency did answer.
                await (self._circuit.closed() if attempt.num == 1 else self._circuit.confirm())
                try:
                    return await self._action(items)
                except Transient as error:
                    stop_if_cancelled()
                    RETRIES.labels(self._what).inc()
                    self._circuit.open(error)
                    raise
        raise AssertionError("the attempts end with a result or an error")

    def _attempts(self, items: int) -> int | None:
        """After how many failures something is to blame; None: never."""
        if not self._probe_is_proof:
            return None
        if items > 1:
            return ATTEMPTS
        return LAST_ATTEMPTS if self._blamed_in_a_row < MAX_BLAMED_IN_A_ROW else None
