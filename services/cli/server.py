"""Which Redis is meant: the one that the settings name, else the one of `make run`."""

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
    secrets = settings.local_dir / "secrets.json"
    named = NamedServers.of(settings)
    if named.redis:
        return Server(settings.redis_dsn, "check REDIS_URL, or REDIS_HOST and REDIS_PORT")
    try:
        if not secrets.exists():
            return Server(
                settings.redis_dsn,
                f"there is no {secrets} of `make run` here: go to the folder of the project, or set REDIS_URL",
            )
        passwords = load_or_make(secrets, database_dir=settings.local_dir / "postgres")
    except PermissionError:
        raise ConfigurationError(f"{secrets} belongs to another user: run this as who runs `make run`") from None
    return Server(service_environment(Plan(settings, named), passwords)["REDIS_URL"], "is `make run` running?")
