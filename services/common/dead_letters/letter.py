"""A letter as it lies in the stream of the dead: the fields of the entry that was refused, and our own beside them.

Where an entry itself has a field that is named like one of ours, ours has the name, and the entry's is kept with
`original_` in front. So what was refused can be put together again exactly, unless the letter has a field `cut`.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from services.common.messages import MAX_CONTENT_CHARS

OWN_FIELDS = frozenset((b"reason", b"error", b"deliveries", b"dead_at", b"stream_id", b"digest", b"cut"))
ORIGINAL = b"original_"

MAX_ERROR_CHARS = 500
# A post's content is kept whole in every size that is valid, in the longest spelling that UTF-8 has.
MAX_CONTENT_BYTES = 4 * MAX_CONTENT_CHARS
# More than any other field of a valid post has. A longer one is cut to this: enough to see what is wrong with it.
MAX_VALUE_BYTES = 4_096
# A line that could not be read has nothing else.
MAX_LINE_BYTES = 16_000
# What no post has: the producer's own extras.
MAX_OTHER_FIELDS = 16
MAX_OTHER_NAME_BYTES = 100
MAX_OTHER_VALUE_BYTES = 1_024

_KNOWN = (b"post_id", b"source", b"platform", b"author", b"created_at")
WHOLE_UP_TO_BYTES = {
    **dict.fromkeys(_KNOWN, MAX_VALUE_BYTES),
    b"content": MAX_CONTENT_BYTES,
    b"text": MAX_CONTENT_BYTES,
    b"line": MAX_LINE_BYTES,
}


@dataclass(frozen=True)
class DeadLetter:
    """What is to be buried: the fields that were refused, a short countable `reason`, and the `error` in words.

    `stream_id` is empty for what was never in the stream. `cut` names fields that the source had to cut already.
    `stream`: the shard of the entry; empty: that of the post.
    """

    stream_id: str
    fields: Mapping[bytes, bytes]
    reason: str
    error: str
    deliveries: int = 1
    cut: Sequence[str] = ()
    stream: str = ""


def digest(letter: DeadLetter) -> str:
    """Equal for letters of the same fields and reason: they are one letter, however often they are refused.

    Of a letter that the source has cut the error counts too, which names the line: what is left of two different lines
    may be the same.
    """
    known = blake2b(digest_size=16)
    parts = [part for item in sorted(letter.fields.items()) for part in item]
    for part in (*parts, letter.reason.encode(), letter.error.encode("utf-8", "replace") if letter.cut else b""):
        # With the length in front, no two different letters read as the same bytes.
        known.update(b"%d:" % len(part) + part)
    return known.hexdigest()


def record(letter: DeadLetter) -> dict[bytes, bytes]:
    """The fields of the letter's entry."""
    kept, cut = bounded(letter.fields)
    cut = [*letter.cut, *(name for name in cut if name not in letter.cut)]
    own = {
        b"reason": letter.reason.encode(),
        b"error": letter.error[:MAX_ERROR_CHARS].encode("utf-8", "replace"),
        b"deliveries": b"%d" % letter.deliveries,
        b"dead_at": f"{time.time():.3f}".encode(),
        b"stream_id": letter.stream_id.encode(),
        b"digest": digest(letter).encode(),
    }
    if cut:
        own[b"cut"] = ", ".join(cut).encode()
    return {escaped(name): value for name, value in kept.items()} | own


def bounded(fields: Mapping[bytes, bytes]) -> tuple[dict[bytes, bytes], list[str]]:
    """The fields as far as a letter keeps them, and in words what was cut."""
    kept: dict[bytes, bytes] = {}
    cut: list[str] = []
    others = left_out = 0
    for name, value in fields.items():
        whole_up_to = WHOLE_UP_TO_BYTES.get(name)
        if whole_up_to is None:
            others += 1
            if others > MAX_OTHER_FIELDS or len(name) > MAX_OTHER_NAME_BYTES:
                left_out += 1
                continue
        limit = MAX_OTHER_VALUE_BYTES if whole_up_to is None else whole_up_to
        if len(value) <= limit:
            kept[name] = value
        else:
            kept[name] = shortened(value, min(limit, MAX_VALUE_BYTES))
            cut.append(name.decode("utf-8", "replace"))
    return kept, [*cut, f"{left_out} other fields"] if left_out else cut


def shortened(value: bytes, limit: int) -> bytes:
    """At most `limit` bytes, without half a character at the end."""
    end = limit
    while end > limit - 4 and value[end] & 0xC0 == 0x80:
        end -= 1
    return value[:end]


def escaped(name: bytes) -> bytes:
    return ORIGINAL + name if name in OWN_FIELDS or name.startswith(ORIGINAL) else name


def original_fields(entry: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """What was refused: the letter's entry without our own fields."""
    return {name.removeprefix(ORIGINAL): value for name, value in entry.items() if name not in OWN_FIELDS}
