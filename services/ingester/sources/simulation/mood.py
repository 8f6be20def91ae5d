"""How people feel as time passes: a wandering mood per topic, one shared by all, and events that sway a topic.

A mood is a number around 0, +1 being cheerful and -1 gloomy. It follows an Ornstein-Uhlenbeck process (a random walk
that is pulled back to its mean), whose exact transition is used, so that steps of any length give the same statistics.
"""

import math
from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from services.ingester.sources.simulation.topic import Emotion, Sentiment, Topic

MEMORY_S = 240.0  # after this time a mood has forgotten some two thirds of what it was
TOPIC_SPREAD = 0.24
SHARED_SPREAD = 0.15
MEAN_CALM_S = 270.0  # between the end of one event and the start of the next
STEP_S = 1.0  # moods are moved on so often; in between they stand

# Shares of a topic without mood, and what one unit of mood does to their logarithms.
AT_REST: Mapping[Sentiment, float] = {"negative": 0.25, "neutral": 0.45, "positive": 0.30}
_SWAY = 1.8
_CALM_LOST = 1.0  # only strong moods make people give up a neutral tone
_CALM_UP_TO = 0.6

# The emotions of each sentiment, and where each but the last ends in 0 to 1.
_EMOTIONS: Mapping[Sentiment, tuple[tuple[Emotion, ...], tuple[float, ...]]] = {
    "negative": (("anger", "sadness", "fear", "disgust"), (0.36, 0.61, 0.81)),
    "neutral": (("neutral", "surprise"), (0.90,)),
    "positive": (("joy", "surprise"), (0.90,)),
}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that everybody talks about for some minutes."""

    topic: int
    brand: str
    emotion: Emotion
    strength: float
    starts_s: float
    lasts_s: float

    def level(self, now_s: float) -> float:
        """0 to 1: up within half a minute, down over the last half of its time."""
        age_s = now_s - self.starts_s
        if not 0 <= age_s < self.lasts_s:
            return 0.0
        return min(1.0, age_s / 30.0, 2.0 * (1.0 - age_s / self.lasts_s))


@dataclass(frozen=True, slots=True)
class Feeling:
    """What the next post is about; `event` only where the post is about the event's brand."""

    topic: Topic
    sentiment: Sentiment
    emotion: Emotion
    event: Event | None


class Climate:
    """All moods together. Time is counted in seconds since the start and only ever advances."""

    def __init__(self, topics: Sequence[Topic], random: Random) -> None:
        self._topics = topics
        self._random = random
        self._now_s = 0.0
        self._shared = random.gauss(0.0, SHARED_SPREAD)
        self._moods = [random.gauss(0.0, TOPIC_SPREAD) for _ in topics]
        # The first event comes early, so that somebody who has just started the system sees its charts move.
        self._event = self._next_event(random.uniform(45.0, 150.0))
        self._refresh()

    def advance(self, now_s: float) -> None:
        step_s = now_s - self._now_s
        if step_s < STEP_S:
            return
        self._now_s = now_s
        kept = math.exp(-step_s / MEMORY_S)
        stirred = math.sqrt(1.0 - kept * kept)
        gauss = self._random.gauss
        self._shared = self._shared * kept + gauss(0.0, SHARED_SPREAD) * stirred
        self._moods = [mood * kept + gauss(0.0, TOPIC_SPREAD) * stirred for mood in self._moods]
        if now_s >= self._event.starts_s + self._event.lasts_s:
            self._event = self._next_event(now_s + self._random.expovariate(1.0 / MEAN_CALM_S))
        self._refresh()

    def draw(self) -> Feeling:
        random = self._random.random
        topic = bisect(self._popularity, random() * self._popularity[-1])
        event = self._event if topic == self._event.topic and random() < self._level else None
        draw, shares = random(), self._shares[topic]
        sentiment: Sentiment = "negative" if draw < shares[0] else "neutral" if draw < shares[1] else "positive"
        if event and random() < 0.7 and sentiment == _sentiment_of(event.emotion):
            return Feeling(self._topics[topic], sentiment, event.emotion, event)
        emotions, bounds = _EMOTIONS[sentiment]
        return Feeling(self._topics[topic], sentiment, emotions[bisect(bounds, random())], event)

    def _refresh(self) -> None:
        """What `draw` needs, for the moods as they now stand."""
        event = self._event
        self._level = event.level(self._now_s)
        weights = [topic.popularity for topic in self._topics]
        weights[event.topic] *= 1.0 + 24.0 * abs(event.strength) * self._level
        self._popularity = list(accumulate(weights))
        self._shares = [
            _shares(mood + self._shared + (event.strength * self._level * 1.6 if i == event.topic else 0.0))
            for i, mood in enumerate(self._moods)
        ]

    def _next_event(self, starts_s: float) -> Event:
        random = self._random
        topic = random.randrange(len(self._topics))
        emotion = random.choice(self._topics[topic].events)
        strength = random.uniform(0.3, 1.0) * {"positive": 1, "neutral": 0.3, "negative": -1}[_sentiment_of(emotion)]
        return Event(
            topic=topic,
            brand=random.choice(self._topics[topic].brands),
            emotion=emotion,
            strength=strength,
            starts_s=starts_s,
            lasts_s=random.uniform(150.0, 480.0),
        )


def _sentiment_of(emotion: Emotion) -> Sentiment:
    if emotion in ("neutral", "surprise"):
        return "neutral"
    return "positive" if emotion == "joy" else "negative"


def _shares(mood: float) -> tuple[float, float]:
    """The upper bounds of negative and of neutral in 0 to 1; positive is the rest."""
    negative = AT_REST["negative"] * math.exp(-_SWAY * mood)
    neutral = AT_REST["neutral"] * math.exp(-_CALM_LOST * max(0.0, abs(mood) - _CALM_UP_TO))
    positive = AT_REST["positive"] * math.exp(_SWAY * mood)
    total = negative + neutral + positive
    return negative / total, (negative + neutral) / total
