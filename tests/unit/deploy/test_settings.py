"""Every setting that an operator may want to change reaches a container from .env."""

import re

from services.common.settings import Settings
from tests.unit.deploy import COMPOSE_FILES

# Where servers are and who asks them is the compose files' business; certificates, and what only `make run` has.
OF_THE_FILES = re.compile(
    r"(database|redis|triton|triton_metrics)_url|postgres_(direct|read)_dsn|(postgres|redis)_(host|port|user|password|db)|(api|metrics)_host|api_port"
    r"|\w+_metrics_port|model_repository|frontend_dist|worker_upkeep|api_proxy_hops|local_\w+|\w+_tls_\w+"
)


def test_every_setting_may_be_set() -> None:
    given = set(re.findall(r"\$\{(\w+)", "".join(file.read_text() for file in COMPOSE_FILES)))
    wanted = {name.upper() for name in Settings.model_fields if not OF_THE_FILES.fullmatch(name)}
    assert wanted - given == set()
