"""Generated posts for tests: every text different, of very different lengths."""

import random
from datetime import UTC, datetime, timedelta

from services.common.messages import Post

_TEXT = """
train coffee match phone album weather queue ticket update screen battery goal chorus rain delay service love hate
enjoy fear miss expect forget remember wonderful terrible fine boring scary funny disgusting sad today again never
always maybe really absolutely the a my your this that and but because with without 😂 😡 😢 ❤ !
"""


def make_posts(count: int, *, seed: int = 0, prefix: str = "test") -> list[Post]:
    """`count` posts of 3 to 200 words."""
    chance = random.Random(seed)
    words = _TEXT.split()
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        Post(
            post_id=f"{prefix}-{seed}-{i}",
            source=chance.choice(("twitter", "reddit")),
            content=" ".join(chance.choices(words, k=int(chance.triangular(3, 200, 8)))) + f" {i}",
            author=f"user{chance.randrange(1000)}",
            created_at=start + timedelta(seconds=i),
        )
        for i in range(count)
    ]
