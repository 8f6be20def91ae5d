"""When posts arrive that know nothing of each other."""

import random


def poisson_times(rate: float, seconds: float, seed: int) -> list[float]:
    """Moments within `seconds`, ascending, at `rate` a second on average; the same ones for the same seed."""
    if rate <= 0:
        raise ValueError(f"a rate of {rate} is not possible")
    chance = random.Random(seed)
    times: list[float] = []
    now = chance.expovariate(rate)
    while now < seconds:
        times.append(now)
        now += chance.expovariate(rate)
    return times
