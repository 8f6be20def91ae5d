"""How many physical cores this process may use."""

import os
from pathlib import Path

CPU_SYSFS = Path("/sys/devices/system/cpu")
CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def physical_cores(sysfs: Path = CPU_SYSFS, quota: Path = CGROUP_QUOTA) -> int:
    """Cores of the CPUs that this process may run on (two hyper-threads count once), within the container's limit.

    At least 1. What the system does not tell is taken as unlimited.
    """
    cores = {_siblings(sysfs / f"cpu{cpu}") or str(cpu) for cpu in os.sched_getaffinity(0)}
    return max(1, min(len(cores), _quota_cores(quota, otherwise=len(cores))))


def _siblings(cpu: Path) -> str:
    """The hyper-threads of the core that a CPU belongs to; empty where the system does not say."""
    try:
        return (cpu / "topology" / "thread_siblings_list").read_text()
    except OSError:
        return ""


def _quota_cores(path: Path, otherwise: int) -> int:
    """Whole cores of the control group's quota: "150000 100000" is one and a half, so one."""
    try:
        limit, period = path.read_text().split()
        return otherwise if limit == "max" else int(limit) // int(period)
    except (OSError, ValueError):
        return otherwise
