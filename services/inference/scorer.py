"""Inputs that somebody asks about directly: every score of each, its raw logits, its tokens. The versions in service
answer; a canary has its share of the posts only.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from services.common.errors import Rejected, UndertoneError
from services.inference.classifier import Classifier, together
from services.inference.models import Model
from services.inference.served import Loaded, Models, Served
from services.inference.tokenizer import Input, PostTokenizer, TokenIds

Role = Literal["sentiment", "emotion"]
ROLES: tuple[Role, ...] = ("sentiment", "emotion")
# Which end of an input beyond the model's length is left out; None: such an input is refused (TooLong).
Cut = Literal["right", "left"]


class TooLong(UndertoneError):
    """An input has more tokens than its model takes, and must not be cut."""

    def __init__(self, tokens: int, max_tokens: int) -> None:
        super().__init__(f"{tokens} tokens, and the model takes {max_tokens}")
        self.tokens = tokens
        self.max_tokens = max_tokens


class Untokenizable(Rejected):
    """The tokenizer failed on an input."""


@dataclass(frozen=True)
class Scores:
    """What one model says of each input: `logits` are `[inputs, labels]`, `token_counts` those before anything was cut.

    `seconds` is what that took, tokenization apart.
    """

    model: Model
    logits: NDArray[np.float32]
    token_counts: list[int]
    seconds: float


@dataclass(frozen=True)
class Scored:
    """The models' scores in the order of the roles that were asked for."""

    answers: list[Scores]
    tokenize_seconds: float


@dataclass(frozen=True)
class Encoded:
    rows: list[TokenIds]
    token_counts: list[int]


class Scorer:
    def __init__(self, served: Served, classifier: Classifier) -> None:
        self._served = served
        self._classifier = classifier

    async def score(self, inputs: Sequence[Input], roles: Sequence[Role], cut: Cut | None) -> Scored:
        """Transient while Triton is away, Rejected if a model refuses an input, TooLong as `Cut` says."""
        return await self._served.follow(
            await self._served.models(), lambda models: self._score(models, inputs, roles, cut)
        )

    async def _score(self, models: Models, inputs: Sequence[Input], roles: Sequence[Role], cut: Cut | None) -> Scored:
        asked: list[Loaded] = [getattr(models, role) for role in roles]
        began = time.perf_counter()
        each = list(dict.fromkeys(loaded.tokenizer for loaded in asked))
        encoded = dict(zip(each, await together(*(self._encode(t, inputs, cut) for t in each)), strict=True))
        tokenize_seconds = time.perf_counter() - began

        async def ask(loaded: Loaded) -> Scores:
            tokens = encoded[loaded.tokenizer]
            logits, seconds, _ = await self._classifier.logits(loaded.model, tokens.rows)
            return Scores(loaded.model, logits, tokens.token_counts, seconds)

        return Scored(await together(*(ask(loaded) for loaded in asked)), tokenize_seconds)

    async def _encode(self, tokenizer: PostTokenizer, inputs: Sequence[Input], cut: Cut | None) -> Encoded:
        return await self._classifier.on_thread(lambda: encode(tokenizer, inputs, cut))


def encode(tokenizer: PostTokenizer, inputs: Sequence[Input], cut: Cut | None) -> Encoded:
    """The tokens of each input, at most as many as the model takes; TooLong where that needs a cut and `cut` is None.

    To be called on a thread.
    """
    try:
        rows = tokenizer.encode_whole(inputs)
        token_counts = [len(row) for row in rows]
        beyond = [i for i, count in enumerate(token_counts) if count > tokenizer.max_tokens]
        if beyond and cut is None:
            raise TooLong(token_counts[beyond[0]], tokenizer.max_tokens)
        shortened = tokenizer.encode_cut([inputs[i] for i in beyond], from_left=cut == "left") if beyond else []
    except TooLong:
        raise
    # The library raises bare Exception.
    except Exception as error:
        raise Untokenizable(f"the tokenizer failed: {error}") from error
    for i, row in zip(beyond, shortened, strict=True):
        rows[i] = row
    return Encoded(rows, token_counts)
