"""Tokenization in Rust: what the model was exported with, or nothing."""

import hashlib
from collections.abc import Sequence
from functools import cached_property

from tokenizers import Tokenizer

from services.common.errors import ConfigurationError
from services.inference.models import Model

TokenIds = list[int]
# A text, or two that belong together.
Input = str | tuple[str, str]

# Signs that no vocabulary has, and more words than any model reads.
_STRANGE, _WORD = "\ue000\U0010ffff 今 😀", "word "


class PostTokenizer:
    """A tokenizer file. Texts beyond `max_tokens` are cut to it, special tokens kept (tokens, not characters)."""

    def __init__(self, content: bytes, max_tokens: int) -> None:
        self.max_tokens = max_tokens
        self._tokenizer = Tokenizer.from_buffer(content)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)

    def encode(self, texts: list[str]) -> list[TokenIds]:
        """Token ids of each text, 2 to `max_tokens` of them.

        To be called on a thread: it spreads a batch over all cores by itself, without the interpreter lock.
        """
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts)]

    def encode_whole(self, inputs: Sequence[Input]) -> list[TokenIds]:
        """The same of each input, but nothing is cut; also to be called on a thread."""
        return [encoding.ids for encoding in self._whole.encode_batch_fast(list(inputs))]

    def encode_cut(self, inputs: Sequence[Input], *, from_left: bool = False) -> list[TokenIds]:
        """The same, cut to `max_tokens`: their end is left out or, `from_left`, their beginning; of a pair, the longer
        text loses first.
        """
        tokenizer = self._from_left if from_left else self._tokenizer
        return [encoding.ids for encoding in tokenizer.encode_batch_fast(list(inputs))]

    # Only who is asked for them has them in memory: workers never are.
    @cached_property
    def _whole(self) -> Tokenizer:
        tokenizer = Tokenizer.from_str(self._tokenizer.to_str())
        tokenizer.no_truncation()
        return tokenizer

    @cached_property
    def _from_left(self) -> Tokenizer:
        tokenizer = Tokenizer.from_str(self._tokenizer.to_str())
        tokenizer.enable_truncation(self.max_tokens, direction="left")
        return tokenizer


def read_tokenizer(model: Model) -> PostTokenizer:
    """The model's tokenizer; blocks while megabytes are read.

    ConfigurationError if it is not the one the model was exported with: scores of a wrong tokenizer look plausible and
    are noise.
    """
    try:
        content = model.tokenizer_file.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"model {model.name} version {model.version}: its tokenizer cannot be read ({error}); "
            "MODEL_REPOSITORY must be the folder that Triton serves"
        ) from None
    if hashlib.sha256(content).hexdigest() != model.tokenizer_sha256:
        raise ConfigurationError(
            f"model {model.name} version {model.version}: {model.tokenizer_file} is not the tokenizer that the served "
            "model was exported with; MODEL_REPOSITORY must be the folder that Triton serves"
        )
    try:
        tokenizer = PostTokenizer(content, model.max_tokens)
        # Better now than with the first post that has such a text, and with every other one that shares its batch.
        longest = max(map(len, tokenizer.encode(["", _STRANGE, _WORD * model.max_tokens])))
    # The library raises bare Exception.
    except Exception as error:
        raise ConfigurationError(
            f"model {model.name} version {model.version}: {model.tokenizer_file} is no tokenizer: {error}"
        ) from error
    if longest > model.max_tokens:
        raise ConfigurationError(
            f"model {model.name} version {model.version}: {model.tokenizer_file} makes {longest} tokens of a text, "
            f"and the model takes {model.max_tokens}"
        )
    return tokenizer
