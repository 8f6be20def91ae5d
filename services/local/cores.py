"""How many physical cores this process may use."""

import os
from pathlib import Path

CPU_SYSFS = Path("/sys/devices/system/cpu")
CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def physical_cores(sysfs: Path = CPU_SYSFS, quota: Path = CGROUP_QUOTA) -> int:
    """Cores of the CPUs that this process may run on (two hyper-threads count once), within the container's limit."""
    siblings = set()
    for cpu in os.sched_getaffinity(0):
        path = sysfs / f"cpu{cpu}" / "topology" / "thread_siblings_list"
        siblings.add(path.read_text() if path.is_file() else str(cpu))
    return max(1, min(len(siblings), _quota_cores(quota)))


def _quota_cores(path: Path) -> int:
    """Whole cores of the control group's quota ("150000 100000": one and a half, so one); many where there is none."""
    unlimited = 1 << 16
    try:
        limit, period = path.read_text().split()
    except (OSError, ValueError):
        return unlimited
    return unlimited if limit == "max" else int(limit) // int(period)
