"""What people post about: the shape of the vocabulary in `topics/`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

Emotion: TypeAlias = Literal["anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise"]
Sentiment: TypeAlias = Literal["negative", "neutral", "positive"]

EMOTIONS: tuple[Emotion, ...] = get_args(Emotion)
SENTIMENTS: tuple[Sentiment, ...] = get_args(Sentiment)


@dataclass(frozen=True)
class Topic:
    """One subject of conversation, in templates of the grammar (grammar.py).

    `brands` are singular proper names or noun phrases, all invented; `things` are nouns ("+" marks a plural).
    `clauses` state each emotion in the topic's own words, without capital and full stop. `surprise` is a neutral to
    glad surprise. `events` are the emotions that a piece of news about the topic may set off. `reviewed` says whether
    sentences written for products ("the battery of X is great") make sense here.
    """

    name: str
    brands: tuple[str, ...]
    things: tuple[str, ...]
    hashtags: tuple[str, ...]
    clauses: Mapping[Emotion, tuple[str, ...]]
    events: tuple[Emotion, ...]
    rules: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reviewed: bool = True
    popularity: float = 1.0
