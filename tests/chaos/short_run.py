"""The short run: part of `make test`."""

from tests.chaos.schedule import Fault, make_schedule

# Chosen so that the faults strike each process itself, the network in each way, and what is kept in each server.
SEED = 19_703
FAULTS = 18
SECONDS = 60.0
# A longer one would leave too little of the minute for the others.
LONGEST_S = 6.0
# What the starter models follow easily on two cores, with a flood on top of it.
POSTS = 2_400
# The ingester waits at so many unread posts; a flood is a quarter more.
MAX_LAG = 400


def short_schedule() -> tuple[Fault, ...]:
    return tuple(make_schedule(SEED, FAULTS, SECONDS, LONGEST_S))
