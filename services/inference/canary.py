"""A version on trial: its share of the batches, and how its answers compare with those of the version in service."""

from collections.abc import Awaitable, Callable

from services.common.errors import ConfigurationError, Rejected, Transient
from services.common.logging import get_logger
from services.inference import metrics
from services.inference.classifier import Answer
from services.inference.models import Model
from services.inference.served import Canary, Loaded, Models

log = get_logger(__name__)


class Canaries:
    """A canary never costs an answer: what it cannot answer, the version in service does."""

    def __init__(self) -> None:
        self._credit: dict[str, float] = {}
        self._failing: set[tuple[str, int]] = set()

    def take_turns(self, models: Models) -> frozenset[str]:
        """The models in service whose canary answers the next batch: exactly its share, evenly spread."""
        return frozenset(
            name for name, canary in models.canaries.items() if self._take(name, canary.model.canary_share)
        )

    def _take(self, name: str, percent: float) -> bool:
        credit = self._credit.get(name, 0.0) + percent
        self._credit[name] = credit % 100
        return credit >= 100

    async def answer(self, canary: Canary, in_service: Loaded, ask: Callable[[Loaded], Awaitable[Answer]]) -> Answer:
        """The canary's answer, compared with that of the version in service, which is asked next."""
        model = canary.model
        try:
            if canary.loaded is None:
                raise ConfigurationError(f"model {model.name} version {model.version}: its tokenizer cannot be used")
            answer = await ask(canary.loaded)
        except Exception as error:  # whatever it is: a version on trial may have faults that nobody thought of
            self._fail(model, error)
            return await ask(in_service)
        self._failing.discard((model.name, model.version))
        try:
            compare(answer, await ask(in_service))
        except (Transient, Rejected) as error:
            log.debug("a canary's batch is not compared", model=model.role, error=str(error))
        return answer

    def _fail(self, model: Model, error: Exception) -> None:
        metrics.CANARY_FAILURES.labels(model.role, str(model.version)).inc()
        # Said when it begins; the counter has the rest.
        if (model.name, model.version) not in self._failing:
            self._failing.add((model.name, model.version))
            log.warning("a canary fails", model=model.role, version=model.version, error=str(error))


def compare(canary: Answer, in_service: Answer) -> None:
    """Counts agreement and durations of one batch that both answered."""
    model, version, other = canary.model.role, str(canary.model.version), str(in_service.model.version)
    pairs = zip(canary.verdicts, in_service.verdicts, strict=True)
    agreeing = sum(ours == theirs for (ours, _), (theirs, _) in pairs)
    for agrees, count in (("yes", agreeing), ("no", len(canary.verdicts) - agreeing)):
        metrics.CANARY_POSTS.labels(model, version, other, agrees).inc(count)
    metrics.CANARY_SECONDS.labels(model, version, "canary").inc(canary.seconds)
    metrics.CANARY_SECONDS.labels(model, version, "in_service").inc(in_service.seconds)
    metrics.CANARY_BATCHES.labels(model, version).inc()
