"""The comparison of what had to be found with what is there: post by post, letter by letter."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from services.common.messages import Post
from tests.chaos.evidence import Evidence
from tests.chaos.truth import Truth

FIELDS = ("source", "content", "author", "created_at")
SHOWN_CHARS = 60
# Of each kind; a thousand lost posts are told by their number.
SHOWN = 20


@dataclass(frozen=True)
class Violation:
    """`kind`: "lost post" and the like. `what`: which one, and what is known of it."""

    kind: str
    what: str


def compare(truth: Truth, evidence: Evidence) -> list[Violation]:
    """Everything that is not as it has to be; empty where all is well."""
    return [
        *_posts(truth, evidence),
        *_letters(truth, evidence),
        *(Violation("wrong database", complaint) for complaint in evidence.complaints),
        *(
            Violation("unprocessed entry", f"{post_id or 'without an id'}: {where}")
            for post_id, where in evidence.waiting.items()
        ),
    ]


def told(violations: list[Violation]) -> str:
    """For people: the numbers, and the first ones of each kind."""
    numbers = Counter(violation.kind for violation in violations)
    lines = []
    for kind, number in numbers.items():
        lines.append(f"{number:,} x {kind}")
        shown = [violation.what for violation in violations if violation.kind == kind][:SHOWN]
        lines += [f"    {what}" for what in shown]
        if number > SHOWN:
            lines.append(f"    ... and {number - SHOWN:,} more")
    return "\n".join(lines)


def _posts(truth: Truth, evidence: Evidence) -> Iterator[Violation]:
    rows = Counter(stored.post.post_id for stored in evidence.posts)
    for post_id in truth.posts.keys() - rows.keys():
        yield Violation("lost post", f"{post_id}: {whereabouts(post_id, evidence)}")
    for post_id, number in rows.items():
        if number > 1:
            yield Violation("doubled post", f"{post_id}: {number} rows")
    for stored in evidence.posts:
        post = stored.post
        offered = truth.posts.get(post.post_id)
        if offered is None:
            yield Violation("invented post", f"{post.post_id}: {post.content[:SHOWN_CHARS]!r}")
        elif post not in offered:
            yield Violation("changed post", f"{post.post_id}: {_difference(post, offered[0])}")
        if (stored.analyses, stored.current) != (1, 1):
            numbers = f"{stored.analyses} analyses, {stored.current} of them current"
            yield Violation("post without exactly one analysis", f"{post.post_id}: {numbers}")


def whereabouts(post_id: str, evidence: Evidence) -> str:
    """Where a post was lost, as far as it can be known."""
    for letter in evidence.letters:
        if (b"post_id", post_id.encode()) in letter.fields:
            return f"among the dead letters as {letter.reason}"
    if post_id in evidence.waiting:
        return f"in the stream, {evidence.waiting[post_id]}"
    if post_id in evidence.seen:
        return f"it was in the stream as {evidence.seen[post_id]} and is gone from there"
    return "it was never seen in the stream"


def _difference(found: Post, offered: Post) -> str:
    different = [name for name in FIELDS if getattr(found, name) != getattr(offered, name)]
    return ", ".join(
        f"{name} {str(getattr(found, name))[:SHOWN_CHARS]!r} instead of {str(getattr(offered, name))[:SHOWN_CHARS]!r}"
        for name in different
    )


def _letters(truth: Truth, evidence: Evidence) -> Iterator[Violation]:
    found = Counter(evidence.letters)
    refused = {letter.fields for letter in found}
    reasons = {letter.fields: letter.reason for letter in truth.letters}
    for letter in sorted(truth.letters):
        if letter.fields not in refused:
            yield Violation("missing dead letter", str(letter))
    for letter, number in found.items():
        reason = reasons.get(letter.fields)
        if reason is None:
            yield Violation("dead letter of what had not to be refused", str(letter))
        elif reason != letter.reason:
            yield Violation("dead letter with a wrong reason", f"{letter}: the true one is {reason}")
        if number > 1:
            yield Violation("doubled dead letter", f"{letter}: {number} of them")
