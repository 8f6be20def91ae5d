"""`python -m services.health api|worker|ingester|keeper`: whether the process of this container does its work.

Asks the process's own endpoint, with the process's own settings. One sentence on stdout; status 0 if it is healthy,
1 if it is not or if the settings are not usable. With `--alive` a process that waits for a server is well, too:
Kubernetes starts again what is not, which would not bring the server back.
"""

import argparse
import json
import sys
import time
from http.client import HTTPException

from prometheus_client.parser import text_string_to_metric_families

from services.common.background import HEARTBEAT_WITHIN_S
from services.common.errors import ConfigurationError
from services.common.loopback import get, own_url
from services.common.settings import Settings, read_settings


class Unhealthy(Exception):
    """Why, in a sentence."""


def check(service: str, settings: Settings, *, alive: bool = False) -> str:
    """What there is to say of a healthy service; Unhealthy of another. `alive`: one that waits is well, too."""
    if service == "api":
        return _api(settings, alive=alive)
    port = int(getattr(settings, f"{service}_metrics_port"))
    if port == 0:
        raise Unhealthy(f"{service} serves no metrics, so nobody can tell; set {service.upper()}_METRICS_PORT")
    values = _metrics(own_url(settings.metrics_host, port, "/metrics"))
    beat_s = time.time() - values.get(f"undertone_{service}_heartbeat_timestamp_seconds", 0.0)
    if beat_s > HEARTBEAT_WITHIN_S:
        raise Unhealthy(f"{service} hangs: its event loop has not run for more than {HEARTBEAT_WITHIN_S:g} s")
    if service == "worker" and not alive and values.get("undertone_worker_ready") != 1:
        raise Unhealthy("worker is not ready: it waits for a server, the schema or the models; its log says which")
    return f"{service} works: its event loop ran {max(beat_s, 0):.1f} s ago"


def _api(settings: Settings, *, alive: bool) -> str:
    url = own_url(settings.api_host, settings.api_port, "/api/health")
    status, body = _ask(url)
    try:
        report = json.loads(body)
        state, problems = str(report["status"]), "; ".join(map(str, report["problems"]))
    except (ValueError, TypeError, KeyError):
        raise Unhealthy(f"{url} answers {status} and no report of the API") from None
    sentence = f"api is {state}: {problems}" if problems else f"api is {state}"
    if status != 200 and not alive:
        raise Unhealthy(sentence)
    return sentence


def _metrics(url: str) -> dict[str, float]:
    """The values of all metrics without labels."""
    status, body = _ask(url)
    try:
        families = [*text_string_to_metric_families(body.decode())]
    except ValueError:
        families = []
    if status != 200 or not families:
        raise Unhealthy(f"{url} answers {status} and no metrics")
    return {sample.name: sample.value for family in families for sample in family.samples if not sample.labels}


def _ask(url: str) -> tuple[int, bytes]:
    try:
        return get(url)
    except (OSError, HTTPException) as error:
        raise Unhealthy(f"nothing answers at {url}: {error}") from None


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m services.health", description=__doc__.splitlines()[0])
    parser.add_argument("service", choices=("api", "worker", "ingester", "keeper"))
    parser.add_argument("--alive", action="store_true", help="be content with a process that waits for a server")
    given = parser.parse_args(arguments)
    try:
        print(check(given.service, read_settings(), alive=given.alive))
    except (Unhealthy, ConfigurationError) as reason:
        print(reason)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
