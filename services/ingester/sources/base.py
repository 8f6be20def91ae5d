"""What every source of posts offers to the publisher: batches of posts, and of what was no post.

A source yields batches and not single posts, because only the source knows whether the next post is due now or in a
minute: a batch can be published the moment it arrives, without a timer on the other side.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.common.messages import AuthorDeletion, Post
from services.ingester.sources.health import Health

# Posts in one batch at most: one pipelined write to Redis of some 100 kB, and the step in which a source can be paused.
MAX_BATCH_POSTS = 500


@dataclass(frozen=True, slots=True)
class Malformed:
    """What a source received and could not read as a post; it belongs among the dead letters.

    `reason` is a short, countable code, `error` a sentence that names the place, `fields` what could be read of it,
    `cut` the names of those that are not whole: cut to a few thousand characters, or with characters replaced that no
    UTF-8 can spell.
    """

    reason: str
    error: str
    fields: Mapping[str, str]
    cut: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """Up to MAX_BATCH_POSTS items, none where a source only has got further.

    `deleted`: ids of posts that were taken back where they were written. `deleted_authors`: of whom everything was.
    `position`: what `batches` is given to go on behind this batch; None: the source has no such places.
    """

    items: Sequence[Post | Malformed] = ()
    deleted: Sequence[str] = ()
    position: str | None = None
    deleted_authors: Sequence[AuthorDeletion] = ()


def batches_of(items: Sequence[Post | Malformed], position: str) -> list[Batch]:
    """At least one. The last has the position, which is behind all of them."""
    parts = [items[start : start + MAX_BATCH_POSTS] for start in range(0, len(items), MAX_BATCH_POSTS)] or [()]
    return [*map(Batch, parts[:-1]), Batch(parts[-1], position=position)]


class Source(Protocol):
    """Where posts come from.

    `batches(position)` yields at the source's own pace, behind the batch that had this position, and ends when the
    source has no more. It may yield again what came shortly before; ids tell. Asking for the next batch says that the
    last one is kept. A caller that stops in between closes the generator (`contextlib.aclosing`), which frees files
    and sockets. ConfigurationError: it will not work as it was asked for.
    """

    @property
    def name(self) -> str:
        """The registry's name of the source: "simulate", "replay"; with the server's where there are many of them."""

    @property
    def health(self) -> Health: ...

    def batches(self, position: str | None = None) -> AsyncGenerator[Batch, None]: ...
