"""How long a source waits before it tries again: in its own way, as it has state to keep between the attempts."""

import random

FIRST_WAIT_S = 0.2
MAX_WAIT_S = 30.0
DOUBLINGS = 10


def wait_s(failures: int) -> float:
    """After so many failures in a row: doubled with each up to MAX_WAIT_S, less up to half of it by chance.

    What was cut off together shall not come back together.
    """
    longest = min(FIRST_WAIT_S * 2.0 ** min(failures, DOUBLINGS), MAX_WAIT_S)
    return longest * random.uniform(0.5, 1.0)
