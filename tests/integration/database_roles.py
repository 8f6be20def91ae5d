"""A database with the roles of a deployment, for tests."""

from urllib.parse import urlsplit

from services.common.migrations.apply import migrate
from services.common.migrations.grants import API, MIGRATE, MONITOR, READ, WORKER
from services.common.migrations.roles import make_roles

PASSWORDS = {role: f"{role}-of-tests" for role in (MIGRATE, WORKER, API, READ, MONITOR)}


def as_role(dsn: str, role: str, password: str = "") -> str:
    """The DSN with which the role connects."""
    parts = urlsplit(dsn)
    return parts._replace(netloc=f"{role}:{password or PASSWORDS[role]}@{parts.hostname}:{parts.port}").geturl()


async def deploy(dsn: str) -> None:
    """As a deployment does: the roles by the superuser, then the schema by its owner."""
    await make_roles(dsn, PASSWORDS)
    await migrate(as_role(dsn, MIGRATE))
