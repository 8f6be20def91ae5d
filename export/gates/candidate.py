"""What every gate works on: the version folder, its spec, its tokenizer and posts to try it with."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from export.cores import physical_cores
from export.evidence.encoding import Encoder, TokenIds
from export.evidence.onnx_direct import Direct
from export.evidence.sample_posts import of_length
from export.spec import FILES, Manifest, ModelSpec, Precision
from export.version_folder import TOKENIZER, read_manifest

# Of these the file is compared with PyTorch by its labels, not by its logits.
QUANTIZED: tuple[Precision, ...] = ("int8",)


class Reference(Protocol):
    """The checkpoint that the version was made from."""

    def logits(self, rows: Sequence[TokenIds]) -> NDArray[np.float32]:
        """`[rows, labels]`, each row alone and without padding."""


@dataclass(frozen=True)
class Candidate:
    """A version folder, staged or published, and the posts to try it with."""

    folder: Path
    manifest: Manifest
    posts: Sequence[str]

    @classmethod
    def read(cls, folder: Path, posts: Sequence[str]) -> Self:
        """ExportError where the folder has no manifest."""
        return cls(folder, read_manifest(folder), posts)

    @property
    def spec(self) -> ModelSpec:
        return self.manifest.spec

    @cached_property
    def encoder(self) -> Encoder:
        return Encoder(self.folder / TOKENIZER, self.spec.max_tokens)

    def open(self, precision: Precision) -> Direct:
        """The weights of that precision; NeedsGpu where this machine cannot run them."""
        return Direct(self.folder / FILES[precision], self.spec.lengths, physical_cores())

    def rows(self, length: int, count: int) -> list[TokenIds]:
        """Posts for the bucket of `length` tokens: the last fills it, the first is short, the others lie between."""
        shortest = min(length, max(4, length // 8))
        targets = np.linspace(shortest, length, count).round().astype(int)
        texts = [of_length(self.posts, self.encoder, target, start=7 * i) for i, target in enumerate(targets[:-1])]
        long = of_length(self.posts, self.encoder, 2 * length, start=7 * count)
        return [*self.encoder.encode(texts, length), *self.encoder.encode([long], length)]
