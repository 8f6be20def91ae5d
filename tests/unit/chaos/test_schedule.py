"""Schedules: repeatable, complete, and all that they name exists."""

from tests.chaos.kinds import GROUPS, KINDS, PROCESSES
from tests.chaos.schedule import BEGIN_S, cards, make_schedule
from tests.chaos.short_run import short_schedule
from tests.chaos.strikes import STRIKES

LONG = 60


def test_the_same_seed_gives_the_same_faults_at_the_same_moments_and_another_seed_others() -> None:
    assert make_schedule(1, LONG, 600.0) == make_schedule(1, LONG, 600.0)
    assert make_schedule(1, LONG, 600.0) != make_schedule(2, LONG, 600.0)


def test_a_run_of_sixty_faults_has_every_kind_with_each_of_its_targets() -> None:
    assert len(cards()) <= LONG
    for seed in range(20):
        struck = {(fault.kind, fault.target) for fault in make_schedule(seed, LONG, 600.0)}
        assert struck == set(cards())


def test_faults_strike_in_their_order_within_the_time_and_last_as_long_as_their_kind_may() -> None:
    faults = make_schedule(3, 500, 600.0, longest_s=12.0)
    assert len(faults) == 500
    assert [fault.at_s for fault in faults] == sorted(fault.at_s for fault in faults)
    for fault in faults:
        shortest_s, longest_s = KINDS[fault.kind].seconds
        assert BEGIN_S <= fault.at_s <= 600.0
        assert min(shortest_s, 12.0) <= fault.lasts_s <= min(longest_s, 12.0)


def test_the_short_run_strikes_each_process_and_has_a_fault_of_each_group() -> None:
    faults = short_schedule()
    assert {KINDS[fault.kind].group for fault in faults} == set(GROUPS)
    assert {fault.target for fault in faults if fault.kind in {"kill", "pause", "restart"}} == set(PROCESSES)
    assert {"flood", "lose the group of", "stall", "half-open", "cut"} <= {fault.kind for fault in faults}


def test_in_the_short_run_a_worker_dies_while_its_connections_to_the_database_are_dead() -> None:
    faults = short_schedule()
    # Not in a stall: what the worker had sent would arrive after its death.
    waits = [fault for fault in faults if fault.target == "postgres" and fault.kind == "half-open"]
    deaths = [fault.at_s for fault in faults if fault.kind == "kill" and fault.target.startswith("worker")]
    assert any(wait.at_s < death_s < wait.at_s + wait.lasts_s for wait in waits for death_s in deaths)


def test_every_kind_has_a_way_to_strike() -> None:
    assert STRIKES.keys() == KINDS.keys()
