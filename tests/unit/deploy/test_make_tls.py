"""Certificates that clients trust and no others, made once; and what is wrong with files of one's own is said."""

import shutil
import ssl
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

from deploy import make_tls
from services.common.certificates import trusted_by


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def shake_hands(folder: Path, server: str, name: str) -> None:
    """A client that trusts the folder's CA and calls the server by that name; SSLCertVerificationError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / server / "server.crt", folder / server / "server.key")
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    trusting = trusted_by(str(folder / "ca.crt"))
    # As new versions of Python do.
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT
    client = trusting.wrap_bio(to_client, to_server, server_hostname=name)
    for side in (client, context.wrap_bio(to_server, to_client, server_side=True), client):
        with suppress(ssl.SSLWantReadError):
            side.do_handshake()
    assert client.getpeercert()


def bring(folder: Path, ca: trustme.CA, name: str = "", server: str = "redis") -> None:
    """Files of one's own for a server."""
    issued = ca.issue_cert(name or server)
    (folder / server).mkdir(parents=True, exist_ok=True)
    issued.cert_chain_pems[0].write_to_path(folder / server / "server.crt")
    issued.private_key_pem.write_to_path(folder / server / "server.key")
    (folder / server / "server.key").chmod(0o640)


def run(folder: Path, *arguments: str) -> int:
    return make_tls.main(["--folder", str(folder), *arguments])


@pytest.mark.parametrize("server", make_tls.SERVERS)
def test_a_client_trusts_the_server_of_that_name_and_no_other(tmp_path: Path, server: str) -> None:
    assert run(tmp_path) == 0
    shake_hands(tmp_path, server, server)
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        shake_hands(tmp_path, server, "other")


def test_keys_are_for_their_group_and_that_of_the_ca_for_its_owner(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "tls"
    run(folder)
    modes = {str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}
    servers = dict.fromkeys(make_tls.SERVERS, 0o755)
    keys = {f"{server}/server.key": 0o640 for server in make_tls.SERVERS}
    public = {f"{server}/server.crt": 0o644 for server in make_tls.SERVERS}
    assert modes == servers | keys | public | {"ca.crt": 0o644, "ca.key": 0o600}


def test_nothing_that_is_there_is_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path)
    before = contents(tmp_path)
    assert "made" in capsys.readouterr().out
    assert run(tmp_path) == 0
    assert contents(tmp_path) == before
    assert "made" not in capsys.readouterr().out
    for name in ("server.crt", "server.key"):
        (tmp_path / "redis" / name).unlink()
    assert run(tmp_path) == 0
    after = contents(tmp_path)
    assert {name for name in before if after[name] != before[name]} == {"redis/server.crt", "redis/server.key"}
    shake_hands(tmp_path, "redis", "redis")


def test_files_of_ones_own_do_as_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.crt")
    for server in make_tls.SERVERS[:-1]:
        bring(tmp_path, ca, server=server)
    assert run(tmp_path) == 1
    assert "ca.key is not there to sign" in capsys.readouterr().err
    bring(tmp_path, ca, server=make_tls.SERVERS[-1])
    before = contents(tmp_path)
    assert run(tmp_path) == 0
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "redis" / "server.crt").unlink(), "server.key is there without server.crt"),
        (lambda folder: (folder / "ca.crt").unlink(), "ca.key is there without ca.crt"),
        (lambda folder: (folder / "redis" / "server.key").unlink(), "redis/server.key is not there"),
        (lambda folder: (folder / "redis" / "server.key").chmod(0o644), "chmod 640"),
        (lambda folder: (folder / "redis" / "server.key").chmod(0o600), "chmod 640"),
        (lambda folder: bring(folder, trustme.CA()), "unable to get local issuer certificate"),
        (lambda folder: (folder / "redis" / "server.crt").write_text("?"), "openssl"),
        (
            lambda folder: shutil.copy(folder / "postgres" / "server.key", folder / "redis" / "server.key"),
            "redis/server.key is not the key of server.crt",
        ),
    ],
)
def test_what_would_not_work_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], object], said: str
) -> None:
    run(tmp_path)
    spoil(tmp_path)
    before = contents(tmp_path)
    assert run(tmp_path) == 1
    assert said in capsys.readouterr().err
    assert contents(tmp_path) == before


def test_a_certificate_of_another_name_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.crt")
    for server in make_tls.SERVERS:
        bring(tmp_path, ca, server=server)
    bring(tmp_path, ca, "other", server="redis")
    assert run(tmp_path) == 1
    assert "hostname mismatch" in capsys.readouterr().err


@pytest.mark.parametrize(("days", "status"), [(make_tls.WARN_DAYS - 1, 1), (make_tls.WARN_DAYS + 1, 0)])
def test_what_expires_soon_is_told_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], days: int, status: int
) -> None:
    assert run(tmp_path, "--days", str(days)) == status
    assert f"{tmp_path}/redis/server.crt: made, holds until 20" in (said := capsys.readouterr().out)
    assert f", {days} days" in said


def test_what_has_expired_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path)
    left_s = make_tls._seconds_left
    monkeypatch.setattr(make_tls, "_seconds_left", lambda path: left_s(path) - 1_000 * make_tls.DAY_S)
    assert run(tmp_path) == 1
    assert "redis/server.crt: has expired on 20" in capsys.readouterr().out


def test_a_group_that_compose_does_not_assume_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path.stat().st_gid
    run(tmp_path, "--group", str(mine))
    assert f"TLS_GROUP={mine} into .env" in capsys.readouterr().out


def test_without_openssl_it_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(tmp_path / "tls") == 1
    assert "no command `openssl`" in capsys.readouterr().err
    assert contents(tmp_path) == {}
