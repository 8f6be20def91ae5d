"""`python -m tests.chaos.stack`: what `python -m services.local` starts, with proxies before the servers.

CHAOS_PROXIES: JSON, the port of the proxy by the port of the server.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from unittest.mock import patch

from services.local import __main__ as local
from services.local.child import Child
from services.local.exec_child import die_with_parent
from services.local.passwords import Passwords
from services.local.ports import LOOPBACK
from services.local.stack import Plan, build_stages

PROXIES = "CHAOS_PROXIES"
ADDRESSES = ("DATABASE_URL", "REDIS_URL", "TRITON_URL")


def main() -> int:
    # Nobody may be left, whatever ends the test: with us, all that we have started ends.
    die_with_parent(os.getppid())
    proxies: dict[str, int] = json.loads(os.environ[PROXIES])

    def build(plan: Plan, passwords: Passwords) -> list[list[Child]]:
        return [[disturbed(child, proxies) for child in stage] for stage in build_stages(plan, passwords)]

    with patch.object(local, "build_stages", build):
        return local.main()


def disturbed(child: Child, proxies: Mapping[str, int]) -> Child:
    """A service with the proxies' addresses, the ingester one that goes on after a stop; a server as it is."""
    environment = dict(child.environment)
    for name in ADDRESSES:
        for server, proxy in proxies.items():
            if name in environment:
                environment[name] = environment[name].replace(f"{LOOPBACK}:{server}", f"{LOOPBACK}:{proxy}")
    command = ["tests.chaos.ingester" if word == "services.ingester" else word for word in child.command]
    return replace(child, environment=environment, command=command)


if __name__ == "__main__":
    sys.exit(main())
