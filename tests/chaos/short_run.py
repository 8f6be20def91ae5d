"""The short run: part of `make test-long`."""

from tests.chaos.schedule import Fault, make_schedule

# Chosen so that the faults are of every group and strike every process, and that a worker dies while its connections to
# the database are dead: a post that was acknowledged before it was stored would be lost there.
SEED = 2_670_165
FAULTS = 18
SECONDS = 60.0
# A longer one would leave too little of the minute for the others.
LONGEST_S = 6.0
POSTS = 3_600
MAX_LAG = 400


def short_schedule() -> tuple[Fault, ...]:
    return tuple(make_schedule(SEED, FAULTS, SECONDS, LONGEST_S))
