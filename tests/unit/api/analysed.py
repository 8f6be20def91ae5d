"""Analysed posts for tests."""

from datetime import UTC, datetime

from services.common.messages import AnalysedPost, Analysis, Post

CREATED_AT = datetime(2026, 1, 1, tzinfo=UTC)


def analysed_posts(count: int, *, content: str = "text {} 😀", label: str = "negative") -> tuple[AnalysedPost, ...]:
    """Posts p0, p1, …; every `{}` in the content is the number."""
    return tuple(
        AnalysedPost(
            post=Post(post_id=f"p{i}", source="test", content=content.format(i), author="me", created_at=CREATED_AT),
            analysis=Analysis(
                model_name="model", sentiment_label=label, confidence=0.75, emotion="anger", emotion_confidence=0.5
            ),
            analysed_at=CREATED_AT.replace(second=1),
        )
        for i in range(count)
    )
