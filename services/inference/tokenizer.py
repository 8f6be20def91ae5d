"""Tokenization in Rust, on a thread of its own, off the event loop."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tokenizers import Tokenizer

TokenIds = list[int]


class PostTokenizer:
    """One tokenizer file. Texts beyond `max_tokens` are cut to it, special tokens kept (tokens, not characters)."""

    def __init__(self, path: Path, max_tokens: int) -> None:
        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)
        # The tokenizer spreads a batch over all cores by itself and releases the interpreter lock meanwhile.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tokenizer")

    async def encode(self, texts: Sequence[str]) -> list[TokenIds]:
        """Token ids of each text, 2 to `max_tokens` of them."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.encode_now, list(texts))

    def encode_now(self, texts: list[str]) -> list[TokenIds]:
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts)]

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
