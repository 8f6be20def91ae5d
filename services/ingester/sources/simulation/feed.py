"""The simulated feed itself: an endless, repeatable sequence of posts, without clock and without waiting."""

from collections.abc import Sequence
from random import Random

from services.ingester.sources.simulation.mood import Climate
from services.ingester.sources.simulation.topic import Topic
from services.ingester.sources.simulation.topics import TOPICS
from services.ingester.sources.simulation.writer import Draft, Writer


class Feed:
    """Posts of one simulated world. The same seed and rate give the same posts.

    Time inside is nominal: every post takes `60 / per_minute` seconds. So moods drift as fast as the posts come, and a
    run can be repeated exactly on a machine of any speed.
    """

    def __init__(self, seed: int | None, per_minute: float, topics: Sequence[Topic] = TOPICS) -> None:
        random = Random(seed)
        self._climate = Climate(topics, random)
        self._writer = Writer(topics, random)
        self._post_takes_s = 60.0 / per_minute
        self._written = 0

    def next(self) -> Draft:
        self._climate.advance(self._written * self._post_takes_s)
        self._written += 1
        return self._writer.write(self._climate.draw())
