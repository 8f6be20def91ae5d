"""What `make run` starts, in which order, and with which settings."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from services.common.background import HEARTBEAT_WITHIN_S
from services.common.settings import Settings
from services.local.child import Child
from services.local.http_checks import answers_health, answers_metrics, beats, stays_alive
from services.local.model_folders import on_gpu
from services.local.named_servers import NamedServers
from services.local.passwords import Passwords
from services.local.ports import LOOPBACK, PortNeed
from services.local.postgres import postgres_child
from services.local.redis import redis_child
from services.local.triton import triton_child
from services.local.triton_env import ensure_env, env_for
from services.local.triton_machine import check_gpu

# PostgreSQL's superuser of the embedded server. Not POSTGRES_USER, which may change while the data stay.
DATABASE_USER = "undertone"
# Besides the settings, services see these of our own environment: tools, language, time zone, the way out for sources.
INHERITED = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)
# A worker finishes the batch in its hands; longer than it gives itself for that.
SERVICE_STOP_TIMEOUT_S = 20.0
# Without a metrics port there is nothing to ask.
ALIVE_S = 0.3
# The line of its metrics with which a worker says that its servers and models are there.
WORKER_READY = "undertone_worker_ready 1.0"
WORKER_BEAT = "undertone_worker_heartbeat_timestamp_seconds"


@dataclass(frozen=True)
class Plan:
    """One run: the settings, the servers that the user brings, and the command line."""

    settings: Settings
    named: NamedServers
    workers: int = 1
    # Arguments of `python -m services.ingester`; None: no ingester.
    ingester: Sequence[str] | None = ()
    project_dir: Path = field(default_factory=Path.cwd)

    @property
    def local_dir(self) -> Path:
        return self.settings.local_dir.absolute()

    @property
    def worker_ports(self) -> list[int]:
        """Metrics ports: counted up from WORKER_METRICS_PORT, leaving out those that others have; 0: none."""
        base = self.settings.worker_metrics_port
        if base == 0:
            return [0] * self.workers
        others = {need.port for need in self._fixed_ports()}
        return [port for port in range(base, base + self.workers + len(others)) if port not in others][: self.workers]

    def port_needs(self) -> list[PortNeed]:
        workers = [PortNeed(port, "a worker's metrics", "WORKER_METRICS_PORT") for port in self.worker_ports if port]
        return [*self._fixed_ports(), *workers]

    def _fixed_ports(self) -> list[PortNeed]:
        s = self.settings
        needs = [PortNeed(s.api_port, "the dashboard and API", "API_PORT", s.api_host)]
        if not self.named.database:
            needs.append(PortNeed(s.local_postgres_port, "PostgreSQL", "LOCAL_POSTGRES_PORT"))
        if not self.named.redis:
            needs.append(PortNeed(s.local_redis_port, "Redis", "LOCAL_REDIS_PORT"))
        if not self.named.triton:
            needs.append(PortNeed(s.local_triton_grpc_port, "Triton", "LOCAL_TRITON_GRPC_PORT"))
            needs.append(PortNeed(s.local_triton_metrics_port, "Triton's metrics", "LOCAL_TRITON_METRICS_PORT"))
        if self.ingester is not None and s.ingester_metrics_port:
            needs.append(PortNeed(s.ingester_metrics_port, "the ingester's metrics", "INGESTER_METRICS_PORT"))
        return needs


def build_stages(plan: Plan, passwords: Passwords) -> list[list[Child]]:
    """Servers; then API and workers; then the ingester.

    Prepares folders and, the first time, the database and Triton's environment. ConfigurationError where that fails.
    """
    environment = service_environment(plan, passwords)
    services = [_api(plan, environment), *_workers(plan, environment)]
    ingester = [] if plan.ingester is None else [_ingester(plan, plan.ingester, environment)]
    return [stage for stage in (_servers(plan, passwords), services, ingester) if stage]


def service_environment(plan: Plan, passwords: Passwords) -> dict[str, str]:
    """All that the services see: what the user set, the addresses of this run's servers, and a few names of ours."""
    s = plan.settings
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    environment |= {name.upper(): str(getattr(s, name)) for name in s.model_fields_set}
    environment |= {
        "PYTHONUNBUFFERED": "1",
        "DATABASE_URL": s.database_dsn,
        "REDIS_URL": s.redis_dsn,
        "TRITON_URL": s.triton_url,
        "MODEL_REPOSITORY": str(s.model_repository.absolute()),
        "FRONTEND_DIST": str(s.frontend_dist.absolute()),
        "API_HOST": s.api_host,
        "API_PORT": str(s.api_port),
        "INGESTER_METRICS_PORT": str(s.ingester_metrics_port),
    }
    if not plan.named.database:
        environment["DATABASE_URL"] = (
            f"postgresql://{DATABASE_USER}:{passwords.postgres}@{LOOPBACK}:{s.local_postgres_port}/{s.postgres_db}"
        )
    if not plan.named.redis:
        environment["REDIS_URL"] = f"redis://:{passwords.redis}@{LOOPBACK}:{s.local_redis_port}/0"
    if not plan.named.triton:
        environment["TRITON_URL"] = f"{LOOPBACK}:{s.local_triton_grpc_port}"
        environment["TRITON_METRICS_URL"] = f"http://{LOOPBACK}:{s.local_triton_metrics_port}/metrics"
    return environment


def _servers(plan: Plan, passwords: Passwords) -> list[Child]:
    s, folder = plan.settings, plan.local_dir
    servers = []
    if not plan.named.triton:
        if on_gpu(s.local_triton_config):
            # Before gigabytes are installed for it.
            check_gpu()
        env_dir, lock = env_for(s.local_triton_config, folder / "triton")
        servers.append(
            triton_child(
                env_dir=ensure_env(env_dir, lock=lock),
                model_repository=s.model_repository.absolute(),
                work_dir=folder / "triton" / "work",
                grpc_port=s.local_triton_grpc_port,
                metrics_port=s.local_triton_metrics_port,
                config_name=s.local_triton_config,
                cpu_runtime=s.cpu_runtime,
                traces_endpoint=s.traces_endpoint,
            )
        )
    if not plan.named.database:
        servers.append(
            postgres_child(
                data_dir=folder / "postgres",
                port=s.local_postgres_port,
                user=DATABASE_USER,
                password=passwords.postgres,
                database=s.postgres_db,
            )
        )
    if not plan.named.redis:
        servers.append(redis_child(data_dir=folder / "redis", port=s.local_redis_port, password=passwords.redis))
    return servers


def _api(plan: Plan, environment: dict[str, str]) -> Child:
    s = plan.settings
    return Child(
        name="api",
        command=[sys.executable, "-m", "services.api"],
        environment=environment,
        ready=answers_health(s.api_host, s.api_port),
        cwd=plan.project_dir,
        stop_timeout_s=SERVICE_STOP_TIMEOUT_S,
        health_failures=6,
    )


def _workers(plan: Plan, environment: dict[str, str]) -> list[Child]:
    host = plan.settings.metrics_host
    return [
        Child(
            name="worker" if plan.workers == 1 else f"worker-{number}",
            command=[sys.executable, "-m", "services.worker"],
            environment=environment | {"WORKER_METRICS_PORT": str(port)},
            ready=answers_metrics(host, port, WORKER_READY) if port else stays_alive(ALIVE_S),
            alive=beats(host, port, WORKER_BEAT, HEARTBEAT_WITHIN_S) if port else None,
            cwd=plan.project_dir,
            stop_timeout_s=SERVICE_STOP_TIMEOUT_S,
            health_failures=6 if port else 0,
        )
        for number, port in enumerate(plan.worker_ports, start=1)
    ]


def _ingester(plan: Plan, arguments: Sequence[str], environment: dict[str, str]) -> Child:
    port = plan.settings.ingester_metrics_port
    return Child(
        name="ingester",
        command=[sys.executable, "-m", "services.ingester", *arguments],
        environment=environment,
        ready=answers_metrics(plan.settings.metrics_host, port) if port else stays_alive(ALIVE_S),
        cwd=plan.project_dir,
        stop_timeout_s=SERVICE_STOP_TIMEOUT_S,
    )
