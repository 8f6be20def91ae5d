"""The kinds of faults: what each strikes, and how long it lasts. How it strikes is in `strikes.py`."""

from dataclasses import dataclass

PROCESSES = ("ingester", "redis", "postgres", "triton", "worker-1", "worker-2", "api")
SERVERS = ("redis", "postgres", "triton")


@dataclass(frozen=True)
class Kind:
    """`seconds`: the shortest and the longest time that it lasts."""

    group: str
    targets: tuple[str, ...]
    seconds: tuple[float, float] = (0.0, 0.0)


KINDS = {
    "kill": Kind("kill", PROCESSES),
    "pause": Kind("pause", PROCESSES, (1.0, 20.0)),
    "restart": Kind("restart", PROCESSES),
    "cut": Kind("network", SERVERS, (0.0, 5.0)),
    "delay": Kind("network", SERVERS, (5.0, 15.0)),
    "stall": Kind("network", SERVERS, (1.0, 20.0)),
    "half-open": Kind("network", SERVERS, (5.0, 30.0)),
    "no answers from": Kind("network", SERVERS, (1.0, 5.0)),
    "flood": Kind("stream", ("stream",)),
    "no memory for": Kind("stream", ("redis",), (2.0, 8.0)),
    "lose the group of": Kind("stream", ("stream",)),
    "kill while it rewrites its log": Kind("redis log", ("redis",)),
    "kill the stubs of": Kind("stubs", ("triton",)),
    "kill a writing session of": Kind("database crash", ("postgres",)),
    "immediate shutdown of": Kind("database crash", ("postgres",)),
}
GROUPS = tuple(dict.fromkeys(kind.group for kind in KINDS.values()))
