"""`python3 -m deploy.kubernetes.make_secrets`: the secrets that the manifests name, out of .env, for `kubectl apply`.

Standard library only, as deploy/make_env.py, which makes .env. Nothing is written but to standard output.
"""

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.make_env import PASSWORDS, make_values, read_values

USERS_TEMPLATE = Path(__file__).parents[1] / "redis" / "users.acl.template"
# Secret -> its keys, and what .env calls them where it is another name: a pod is given its own and no other's.
KEYS = {
    "ingester": ("REDIS_PASSWORD=REDIS_INGESTER_PASSWORD", "MASTODON_TOKEN", "REDDIT_CLIENT_SECRET"),
    "worker": ("POSTGRES_PASSWORD=POSTGRES_WORKER_PASSWORD", "REDIS_PASSWORD=REDIS_WORKER_PASSWORD", "TRITON_KEY"),
    "keeper": ("POSTGRES_PASSWORD=POSTGRES_MIGRATE_PASSWORD",),
    "api": (
        "POSTGRES_PASSWORD=POSTGRES_API_PASSWORD",
        "REDIS_PASSWORD=REDIS_API_PASSWORD",
        *("TRITON_KEY", "API_KEYS", "ALERT_WEBHOOKS"),
    ),
    "triton": ("TRITON_KEY",),
    "export": ("TRITON_KEY",),
    "migrate": tuple(name for name in PASSWORDS if name.startswith("POSTGRES_")),
    "postgres-exporter": ("DATA_SOURCE_PASS=POSTGRES_MONITOR_PASSWORD",),
    "redis-exporter": ("REDIS_PASSWORD=REDIS_MONITOR_PASSWORD",),
    # Of the operators: the superuser, and the default user of Redis, which may only say PING.
    "postgres": ("password=POSTGRES_PASSWORD",),
    "redis": ("REDIS_DEFAULT_PASSWORD=REDIS_MONITOR_PASSWORD",),
}
# Secret -> key -> name in .env.
SECRETS = {
    secret: {key: name or key for key, _, name in (entry.partition("=") for entry in entries)}
    for secret, entries in KEYS.items()
}
# Left out where .env has none.
OPTIONAL = {"ALERT_WEBHOOKS", "MASTODON_TOKEN", "REDDIT_CLIENT_SECRET"}
SERVERS = ("postgres", "redis", "triton")
DEFAULT_USER = "user default on #@MONITOR@ resetkeys resetchannels -@all +ping"
EXAMPLES = """examples:
  python3 -m deploy.kubernetes.make_secrets | kubectl apply --server-side -f -
  python3 -m deploy.kubernetes.make_secrets --tls tls | kubectl apply --server-side -f -
"""


class Incomplete(Exception):
    """What is missing, and what makes it."""


def redis_users(values: Mapping[str, str]) -> str:
    """The file of users that deploy/redis/start.sh makes, but with a default user for the operator's health check."""
    stream = values.get("REDIS_STREAM_NAME", "social_posts_stream")
    if not re.fullmatch(r"[\w.:-]+", stream, re.ASCII):
        raise Incomplete("REDIS_STREAM_NAME has to be of letters, digits and _ . : -")
    text = re.sub(r"\\\n *", "", USERS_TEMPLATE.read_text())
    lines = [line for line in text.splitlines() if line.startswith("user ") and not line.startswith("user default ")]
    users = "\n".join([DEFAULT_USER, *lines]) + "\n"
    users = users.replace("@STREAM@", stream).replace("@CHANNEL@", "sentiment_updates")
    for user in ("INGESTER", "WORKER", "API", "MONITOR", "ADMIN"):
        users = users.replace(f"@{user}@", hashlib.sha256(values[f"REDIS_{user}_PASSWORD"].encode()).hexdigest())
    return users


def secrets(values: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Each secret's text by its keys; Incomplete names what .env lacks."""
    missing = sorted(make_values(values)[0])
    if missing:
        raise Incomplete(f"it lacks {', '.join(missing)}; run: make compose-env")
    made = {
        secret: {key: values[name] for key, name in keys.items() if name in values or name not in OPTIONAL}
        for secret, keys in SECRETS.items()
    }
    made["postgres"]["username"] = "undertone"
    made["redis-users"] = {"user.acl": redis_users(values)}
    return made


def tls_secrets(folder: Path) -> dict[str, dict[str, str]]:
    """Those of components/tls out of the folder that `make compose-tls` fills. The CA's own key is in none."""
    authority = (folder / "ca.crt").read_text()
    made = {"tls-ca": {"ca.crt": authority}}
    for server in SERVERS:
        certificate, key = ((folder / server / f"server.{end}").read_text() for end in ("crt", "key"))
        made[f"tls-{server}"] = {"ca.crt": authority, "tls.crt": certificate, "tls.key": key}
    return made


def _resource(name: str, namespace: str, text: Mapping[str, str]) -> dict[str, Any]:
    kind = "kubernetes.io/tls" if "tls.key" in text else "kubernetes.io/basic-auth" if "username" in text else "Opaque"
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind, "stringData": dict(text)}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python3 -m deploy.kubernetes.make_secrets",
        description="Writes the secrets of the manifests to standard output, out of the .env of `make compose-env`.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--file", type=Path, default=Path(".env"), help="default: %(default)s")
    parser.add_argument("--namespace", default="undertone", help="default: %(default)s")
    parser.add_argument("--tls", type=Path, metavar="FOLDER", help="certificates of `make compose-tls` as well")
    given = parser.parse_args(arguments)
    if sys.stdout.isatty():
        print("error: these are passwords: pipe them, as into `kubectl apply --server-side -f -`", file=sys.stderr)
        return 2
    try:
        made = secrets(read_values(given.file.read_text())) | (tls_secrets(given.tls) if given.tls else {})
    except (OSError, UnicodeDecodeError, Incomplete) as error:
        print(f"error: {given.file}: {error}", file=sys.stderr)
        return 1
    items = [_resource(name, given.namespace, text) for name, text in made.items()]
    json.dump({"apiVersion": "v1", "kind": "List", "items": items}, sys.stdout, indent=2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
