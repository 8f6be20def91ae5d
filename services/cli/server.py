"""Which Redis or PostgreSQL is meant: the one that the settings name, else the one of `make run`."""

from dataclasses import dataclass

from services.common.errors import ConfigurationError
from services.common.settings import Settings
from services.local.named_servers import NamedServers
from services.local.passwords import load_or_make
from services.local.stack import Plan, service_environment


@dataclass(frozen=True)
class Server:
    """`advice`: what to look at when it does not answer."""

    dsn: str
    advice: str


def find_redis(settings: Settings) -> Server:
    """ConfigurationError when the passwords of `make run` cannot be read."""
    if NamedServers.of(settings).redis:
        return Server(settings.redis_dsn, "check REDIS_URL, or REDIS_HOST and REDIS_PORT")
    return _of_make_run(settings, "REDIS_URL", settings.redis_dsn)


def find_postgres(settings: Settings) -> Server:
    """The same for the database."""
    if NamedServers.of(settings).database:
        return Server(settings.database_dsn, "check DATABASE_URL, or POSTGRES_HOST and POSTGRES_PORT")
    return _of_make_run(settings, "DATABASE_URL", settings.database_dsn)


def _of_make_run(settings: Settings, name: str, otherwise: str) -> Server:
    secrets = settings.local_dir / "secrets.json"
    try:
        if not secrets.exists():
            return Server(
                otherwise, f"there is no {secrets} of `make run` here: go to the folder of the project, or set {name}"
            )
        passwords = load_or_make(secrets, database_dir=settings.local_dir / "postgres")
    except PermissionError:
        raise ConfigurationError(f"{secrets} belongs to another user: run this as who runs `make run`") from None
    environment = service_environment(Plan(settings, NamedServers.of(settings)), passwords)
    return Server(environment[name], "is `make run` running?")
