"""The secrets: each that a pod names and no other, with what .env has, and Redis' users as its own start makes them."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy import make_env
from deploy.kubernetes import make_secrets
from deploy.kubernetes.__main__ import ROOT
from tests.unit.deploy.kubernetes import RENDERED, find, render


@pytest.fixture
def env(tmp_path: Path) -> Path:
    path = tmp_path / ".env"
    make_env.main(["--file", str(path)])
    return path


def made(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict[str, Any]]:
    """What is written to standard output, by name."""
    capsys.readouterr()
    assert make_secrets.main([*arguments]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["apiVersion"], document["kind"]) == ("v1", "List")
    return {item["metadata"]["name"]: item for item in document["items"]}


def references(value: object) -> set[tuple[str, str]]:
    """(secret, key) of every reference in the environment of a container."""
    found: set[tuple[str, str]] = set()
    if isinstance(value, dict):
        if "secretKeyRef" in value:
            found.add((value["secretKeyRef"]["name"], value["secretKeyRef"]["key"]))
        for held in value.values():
            found |= references(held)
    elif isinstance(value, list):
        for held in value:
            found |= references(held)
    return found


def test_every_secret_that_is_named_is_made_and_no_other(env: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with env.open("a") as file:
        file.write("ALERT_WEBHOOKS=ops=https://hooks.example/T0\nMASTODON_TOKEN=of-an-account\n")
        file.write("REDDIT_CLIENT_SECRET=of-an-application\n")
    secrets = made(capsys, "--file", str(env))
    keys = {(name, key) for name, item in secrets.items() for key in item["stringData"]}
    named = {reference for folder in RENDERED for reference in references(render(folder))}
    cluster, redis = find("example", "Cluster", "postgres"), find("example", "Redis", "redis")
    operators = {(cluster["spec"]["bootstrap"]["initdb"]["secret"]["name"], key) for key in ("username", "password")}
    password = redis["spec"]["kubernetesConfig"]["redisSecret"]
    operators |= {(password["name"], password["key"]), (redis["spec"]["acl"]["secret"]["secretName"], "user.acl")}
    assert keys == named | operators
    values = make_env.read_values(env.read_text())
    for name, key in named:
        assert secrets[name]["stringData"][key] == values[make_secrets.SECRETS[name][key]]


def test_what_others_have_given_is_left_out_where_there_are_none(env: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secrets = made(capsys, "--file", str(env))
    assert "ALERT_WEBHOOKS" not in secrets["api"]["stringData"]
    assert not {"MASTODON_TOKEN", "REDDIT_CLIENT_SECRET"} & set(secrets["ingester"]["stringData"])


def test_no_pod_is_given_the_password_of_another(env: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secrets = made(capsys, "--file", str(env))
    for name in ("POSTGRES_PASSWORD", "REDIS_PASSWORD"):
        users = [item["stringData"][name] for item in secrets.values() if name in item["stringData"]]
        assert len(set(users)) == len(users) > 2


@pytest.mark.parametrize("stream", ["", "posts:a"])
def test_redis_has_the_users_that_its_own_start_makes(
    env: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], stream: str
) -> None:
    if stream:
        with env.open("a") as file:
            file.write(f"REDIS_STREAM_NAME={stream}\n")
    users = made(capsys, "--file", str(env))["redis-users"]["stringData"]["user.acl"].splitlines()
    acl = tmp_path / "users.acl"
    start = {"REDIS_ACL_FILE": str(acl), "REDIS_SERVER": "true", "PATH": os.environ["PATH"]}
    values = make_env.read_values(env.read_text())
    subprocess.run([ROOT / "deploy/redis/start.sh"], env={**values, **start}, check=True, timeout=60)
    default, *others = [line for line in acl.read_text().splitlines() if line]
    assert default.startswith("user default off ")
    assert users[1:] == others
    # The operator's health check is the default user, who may say PING, and with a password.
    assert re.fullmatch(r"user default on #[0-9a-f]{64} resetkeys resetchannels -@all \+ping", users[0])


@pytest.mark.parametrize("stream", ["posts*", "a b", "x~@all"])
def test_a_stream_whose_name_would_be_a_pattern_is_refused(
    env: Path, capsys: pytest.CaptureFixture[str], stream: str
) -> None:
    with env.open("a") as file:
        file.write(f"REDIS_STREAM_NAME={stream}\n")
    assert make_secrets.main(["--file", str(env)]) == 1
    assert "REDIS_STREAM_NAME" in capsys.readouterr().err


def test_what_is_missing_is_named_and_nothing_is_written(env: Path, capsys: pytest.CaptureFixture[str]) -> None:
    env.write_text(re.sub(r"(?m)^(TRITON_KEY|REDIS_API_PASSWORD)=.*\n", "", env.read_text()))
    capsys.readouterr()
    assert make_secrets.main(["--file", str(env)]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "REDIS_API_PASSWORD, TRITON_KEY; run: make compose-env" in told.err
    assert make_secrets.main(["--file", str(env.parent / "none")]) == 1


def test_nobody_sees_passwords_on_a_terminal(
    env: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert make_secrets.main(["--file", str(env)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "pipe them" in told.err


def test_each_server_gets_its_certificate_and_nobody_the_key_of_the_authority(
    env: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "tls"
    for server in make_secrets.SERVERS:
        (folder / server).mkdir(parents=True)
        for end in ("crt", "key"):
            (folder / server / f"server.{end}").write_text(f"{server} {end}")
    for end in ("crt", "key"):
        (folder / f"ca.{end}").write_text(f"authority {end}")
    secrets = made(capsys, "--file", str(env), "--tls", str(folder))
    assert secrets["tls-ca"]["stringData"] == {"ca.crt": "authority crt"}
    for server in make_secrets.SERVERS:
        item = secrets[f"tls-{server}"]
        assert item["type"] == "kubernetes.io/tls"
        assert item["stringData"] == {"ca.crt": "authority crt", "tls.crt": f"{server} crt", "tls.key": f"{server} key"}
    assert "authority key" not in json.dumps(secrets)
    names = set(re.findall(r"'(?:secretName|serverCASecret|serverTLSSecret)': '(tls-\w+)'", str(render("example"))))
    assert names == {name for name in secrets if name.startswith("tls-")}
