"""Which settings a tuning tries."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from export.spec import Target
from export.triton_config import Serving

# More processes of one model than that cost memory and bring nothing.
MOST_INSTANCES = 4
GPU_INSTANCES = (1, 2)


@dataclass(frozen=True)
class Grid:
    """Every combination is tried. None: values that fit the machine."""

    threads: Sequence[int] | None = None
    instances: Sequence[int] | None = None
    queue_delays_us: Sequence[int] = (0, 500, 2_000)

    def settings(self, target: Target, cores: int) -> list[Serving]:
        """The combinations for a machine with so many physical cores.

        Values that nobody asked for stay within the cores: instances x threads on more of them only wait for each
        other. On a GPU the threads do not matter and are not varied.
        """
        steps = _doublings(cores)
        if target != "cpu":
            pairs = [(count, 0) for count in self.instances or GPU_INSTANCES]
        else:
            instances = self.instances or [count for count in steps if count <= MOST_INSTANCES]
            pairs = list(itertools.product(instances, self.threads or steps))
            if self.threads is None or self.instances is None:
                pairs = [(count, threads) for count, threads in pairs if count * threads <= cores] or [min(pairs)]
        tuned_cores = cores if target == "cpu" else None
        return [
            Serving(threads, count, delay, tuned_cores)
            for (count, threads), delay in itertools.product(sorted(set(pairs)), sorted(set(self.queue_delays_us)))
        ]


def _doublings(cores: int) -> tuple[int, ...]:
    """1, 2, 4 and so on below `cores`, and `cores` itself."""
    return (*itertools.takewhile(lambda step: step < cores, (2**power for power in itertools.count())), cores)
