"""The models in service, as Triton serves them now: looked at again every few seconds, each with its own tokenizer."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tritonclient.grpc.model_config_pb2 import ModelConfig

from services.common.errors import ConfigurationError, Rejected, Transient
from services.common.logging import get_logger
from services.inference.model_server import ModelServer
from services.inference.models import MAX_EMOTION_CHARS, MAX_SENTIMENT_CHARS, Model, parse_model
from services.inference.tokenizer import PostTokenizer, read_tokenizer

log = get_logger(__name__)

T = TypeVar("T")

CANARY_SUFFIX = "_canary"
# How often a call begins anew because another version came into service meanwhile.
MAX_REPEATS = 5


@dataclass(frozen=True, eq=False)
class Loaded:
    """A version and the tokenizer that it was exported with: only ever used together."""

    config: ModelConfig
    model: Model
    tokenizer: PostTokenizer


@dataclass(frozen=True, eq=False)
class Canary:
    """A version that is tried out. `loaded` is None where its tokenizer cannot be used: it fails its share then."""

    model: Model
    loaded: Loaded | None


@dataclass(frozen=True, eq=False)
class Models:
    """Both models in service, and the canaries by the name of the model in service."""

    sentiment: Loaded
    emotion: Loaded
    canaries: Mapping[str, Canary]

    def in_service(self) -> tuple[Loaded, Loaded]:
        return self.sentiment, self.emotion

    def loaded(self) -> list[Loaded]:
        return [*self.in_service(), *(canary.loaded for canary in self.canaries.values() if canary.loaded)]


class Served:
    """Calls keep what they were given: another version is another object, for the calls that come after."""

    def __init__(self, triton: ModelServer, repository: Path, names: tuple[str, str], refresh_s: float) -> None:
        """`names`: Triton's of the sentiment and of the emotion model."""
        self._triton = triton
        self._repository = repository
        self._names = names
        self._refresh_s = refresh_s
        self._reading = asyncio.Lock()
        self._read_at = 0.0
        self._models: Models | None = None
        self._complaints: dict[str, str] = {}

    async def models(self) -> Models:
        """What was in service `refresh_s` ago or later.

        Until it succeeded once, Transient while Triton is away and ConfigurationError if the models do not fit.
        Afterwards it always succeeds: the models in hand may still answer, and inference tells if they do not.
        """
        now = time.monotonic()
        if self._models is None:
            return await self._read(now)
        # One call looks, the others go on meanwhile with what is in hand.
        if now - self._read_at >= self._refresh_s and not self._reading.locked():
            return await self._read(now)
        return self._models

    async def follow(self, models: Models, ask: Callable[[Models], Awaitable[T]]) -> T:
        """The answer of the models that are in service while it is given, from `models` on.

        A version stops answering once another one has its place: then all begins anew, with the other's tokens.
        """
        for _ in range(MAX_REPEATS):
            try:
                return await ask(models)
            except (Transient, Rejected) as failure:
                models = await self.instead_of(models, failure)
        return await ask(models)

    async def instead_of(self, used: Models, failure: Transient | Rejected) -> Models:
        """What is in service now, where that is no longer `used`; raises the failure where it is."""
        newest = self._models
        if newest is None or newest.in_service() == used.in_service():
            newest = await self._read(time.monotonic())
        if newest.in_service() != used.in_service():
            return newest
        complaints = [self._complaints[name] for name in self._names if name in self._complaints]
        if complaints and isinstance(failure, Transient):
            raise Transient(f"{failure}; {'; '.join(complaints)}", service=failure.service) from failure
        raise failure

    async def _read(self, since: float) -> Models:
        """The models as another call found them in a reading that began at `since` or later, else in one of our own."""
        async with self._reading:
            if self._models is not None and self._read_at >= since:
                return self._models
            began = time.monotonic()
            try:
                self._models = await self._current(self._models)
            except (Transient, Rejected) as error:
                if self._models is None:
                    raise
                log.debug("cannot ask which versions are in service", error=str(error))
            self._read_at = began
            return self._models

    async def _current(self, before: Models | None) -> Models:
        configs, canary_configs = await asyncio.gather(
            asyncio.gather(*(self._triton.model_config(name) for name in self._names)),
            asyncio.gather(*(self._canary_config(name) for name in self._names)),
        )
        known = before.loaded() if before else []
        for config, held in zip(configs, before.in_service() if before else (None, None), strict=True):
            known.append(await self._in_service(config, held, known))
        sentiment, emotion = known[-2:]
        canaries: dict[str, Canary] = {}
        for name, canary_config in zip(self._names, canary_configs, strict=True):
            former = before.canaries.get(name) if before else None
            canary = await self._canary(name, canary_config, former, known)
            if canary is not None:
                canaries[name] = canary
        return Models(sentiment, emotion, canaries)

    async def _canary_config(self, name: str) -> ModelConfig | None:
        try:
            return await self._triton.find_model_config(name + CANARY_SUFFIX)
        except (Transient, Rejected):
            # Without a canary everything works.
            return None

    async def _in_service(self, config: ModelConfig, held: Loaded | None, known: Iterable[Loaded]) -> Loaded:
        if held is not None and held.config == config:
            self._complaints.pop(config.name, None)
            return held
        try:
            loaded = await _load(config, self._parse(config.name, config), known)
        except ConfigurationError as error:
            if held is None:
                raise
            # The version in hand may still answer; if not, the call is repeated until a person has mended this.
            self._complain(config.name, error)
            return held
        self._complaints.pop(config.name, None)
        if held is not None and held.model.version != loaded.model.version:
            versions = {"from": held.model.version, "to": loaded.model.version}
            log.info("another version is in service", model=config.name, **versions)
        return loaded

    async def _canary(
        self, name: str, config: ModelConfig | None, former: Canary | None, known: Iterable[Loaded]
    ) -> Canary | None:
        """The canary of model `name`, where it has one; whatever is wrong with it is told and is no error."""
        if config is None:
            self._complaints.pop(name + CANARY_SUFFIX, None)
            if former is not None:
                log.info("the canary has ended", model=name, version=former.model.version)
            return None
        if former is not None and former.loaded is not None and former.loaded.config == config:
            return former
        model = None
        try:
            model = self._parse(name, config)
            if model.canary_of != name:
                raise ConfigurationError(
                    f"model {config.name}: its canary_of is {model.canary_of!r}, expected {name!r}"
                )
            loaded = await _load(config, model, known)
        except ConfigurationError as error:
            self._complain(config.name, error)
            return Canary(model, None) if model is not None and model.canary_of == name else None
        self._complaints.pop(config.name, None)
        log.info("a canary answers", model=name, version=model.version, percent=model.canary_share)
        return Canary(model, loaded)

    def _parse(self, name: str, config: ModelConfig) -> Model:
        """`name`: of the model in service, also where the configuration is a canary's."""
        max_label_chars = MAX_SENTIMENT_CHARS if name == self._names[0] else MAX_EMOTION_CHARS
        return parse_model(config, self._repository, max_label_chars)

    def _complain(self, name: str, error: ConfigurationError) -> None:
        """Once, however often it is found."""
        if self._complaints.get(name) != str(error):
            self._complaints[name] = str(error)
            log.error("what Triton serves cannot be used", model=name, error=str(error))


async def _load(config: ModelConfig, model: Model, known: Iterable[Loaded]) -> Loaded:
    """The model with its tokenizer, a known one where it is the same. ConfigurationError if it cannot be used."""
    for other in known:
        same = (other.model.tokenizer_sha256, other.model.max_tokens) == (model.tokenizer_sha256, model.max_tokens)
        if same:
            return Loaded(config, model, other.tokenizer)
    return Loaded(config, model, await asyncio.to_thread(read_tokenizer, model))
