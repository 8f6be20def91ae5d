"""The kinds of faults: what each strikes, and how long it lasts. How it strikes is in `strikes.py`."""

from dataclasses import dataclass

PROCESSES = ("ingester", "redis", "postgres", "triton", "worker-1", "worker-2", "api")
SERVERS = ("redis", "postgres", "triton")


@dataclass(frozen=True)
class Kind:
    """`what` happens, in words. `seconds`: the shortest and the longest time that it lasts."""

    what: str
    group: str
    targets: tuple[str, ...]
    seconds: tuple[float, float] = (0.0, 0.0)


KINDS = {
    "kill": Kind("a process is killed (SIGKILL)", "kill", PROCESSES),
    "pause": Kind("a process and its children stand still (SIGSTOP)", "pause", PROCESSES, (1.0, 20.0)),
    "restart": Kind("a process is asked to stop (SIGTERM)", "restart", PROCESSES),
    "cut": Kind("a server's connections are reset, new ones refused", "network", SERVERS, (0.0, 5.0)),
    "delay": Kind("each message to or from a server takes 0.2 s longer", "network", SERVERS, (5.0, 15.0)),
    "stall": Kind("nothing reaches or leaves a server until later", "network", SERVERS, (1.0, 20.0)),
    "half-open": Kind("a server's connections are dead, and nobody is told", "network", SERVERS, (5.0, 30.0)),
    "no answers from": Kind("a server does what it is asked, its answers are lost", "network", SERVERS, (1.0, 5.0)),
    "flood": Kind("more entries come at once than may wait", "stream", ("stream",)),
    "no memory for": Kind("Redis refuses what takes memory", "stream", ("redis",), (2.0, 8.0)),
    "lose the group of": Kind("the consumer group is destroyed", "stream", ("stream",)),
    "kill while it rewrites its log": Kind("Redis is killed while it rewrites its log", "redis log", ("redis",)),
    "kill the stubs of": Kind("Triton's model processes are killed, it says ready", "stubs", ("triton",)),
    "kill a writing session of": Kind(
        "a session of PostgreSQL is killed as it writes", "database crash", ("postgres",)
    ),
    "immediate shutdown of": Kind("PostgreSQL is shut down in mid-transaction", "database crash", ("postgres",)),
}
GROUPS = tuple(dict.fromkeys(kind.group for kind in KINDS.values()))
