"""What has to be found in the end: every post that was offered, and every entry that is none, with the reason."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from services.common.dead_letters.letter import original_fields
from services.common.messages import Post


@dataclass(frozen=True, order=True)
class Letter:
    """A refused entry; letters of the same fields and reason are one, however often they were offered."""

    reason: str
    fields: tuple[tuple[bytes, bytes], ...]

    @classmethod
    def of(cls, reason: str, fields: Mapping[bytes, bytes]) -> "Letter":
        return cls(reason, tuple(sorted(fields.items())))

    @classmethod
    def from_entry(cls, entry: Mapping[bytes, bytes]) -> "Letter":
        """The letter that an entry of the stream of the dead holds."""
        return cls.of(entry[b"reason"].decode(), original_fields(entry))

    def __str__(self) -> str:
        told = {name.decode("utf-8", "replace"): value[:40] for name, value in self.fields}
        return f"{self.reason} {told}"


@dataclass
class Truth:
    """`posts`: by id, what may be stored under it, exactly one of these: of several posts with one id the first to be
    stored wins, and which one that is may be open."""

    posts: dict[str, tuple[Post, ...]] = field(default_factory=dict)
    letters: set[Letter] = field(default_factory=set)

    def offer(self, posts: Iterable[Post]) -> None:
        """To be called before they can be stored: the answer may never come."""
        for post in posts:
            before = self.posts.get(post.post_id, ())
            if post not in before:
                self.posts[post.post_id] = (*before, post)
