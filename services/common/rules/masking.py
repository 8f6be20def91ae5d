"""Names, e-mail addresses and phone numbers in a text, replaced by what says that there was one."""

import re
from collections.abc import Callable, Collection

import msgspec

from services.common.messages import MAX_CONTENT_CHARS, Post
from services.common.rule_settings import Masked

# Each begins where no such word goes on, so that a long one is tried once, not from each of its characters.
_EMAIL = re.compile(r"(?<![\w.+@-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
# Of Mastodon, too: @name@server.
_NAME = re.compile(r"(?<![\w@/.+-])@\w(?:[\w.-]*\w)?(?:@\w[\w-]*(?:\.[\w-]+)+)?")
# International; with the 0 of a long-distance call; or as in North America. Other rows of digits are dates and numbers.
_PHONE = re.compile(
    r"""(?<![\w+.,/-])(?:
            (?:\+|00)[1-9](?:[ ().\-/]{0,2}\d){6,13}
          | \(?0[1-9](?:[ ().\-/]{0,2}\d){6,11}
          | \(?[2-9]\d\d\)?[ .\-]?[2-9]\d\d[ .\-]\d{4}
        )(?![\w])""",
    re.VERBOSE,
)
_ORDER: tuple[tuple[Masked, re.Pattern[str], str], ...] = (
    ("emails", _EMAIL, "[email]"),
    ("names", _NAME, "@user"),
    ("phones", _PHONE, "[phone]"),
)


def make_mask(masked: Collection[Masked]) -> Callable[[Post], Post]:
    """A function that masks them in a post. Masked again it stays as it is."""
    chosen = [(pattern, shown) for name, pattern, shown in _ORDER if name in masked]
    without_author = "authors" in masked

    def mask(post: Post) -> Post:
        content = post.content
        for pattern, shown in chosen:
            content = pattern.sub(shown, content)
        author = "" if without_author else post.author
        if content == post.content and author == post.author:
            return post
        # What stands for a name may be longer than the name.
        return msgspec.structs.replace(post, content=content[:MAX_CONTENT_CHARS], author=author)

    return mask
