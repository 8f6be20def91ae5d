"""`python3 deploy/make_tls.py`: writes certificates for the servers of the compose files, for deploy/compose/tls.yml.

Standard library and the `openssl` command only, since a machine with Docker needs nothing else of Python.
"""

import argparse
import os
import secrets
import ssl
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

SERVERS = ("postgres", "redis", "triton")
# Through which a server reads its key: deploy/compose/tls.yml adds it to the groups of the server's user.
GROUP = 10001
CA_DAYS = 3650
SERVER_DAYS = 730
# Time enough to make new ones.
WARN_DAYS = 30
DAY_S = 86_400
EXAMPLES = f"""examples:
  python3 deploy/make_tls.py                    whatever ./tls lacks; what it has stays as it is
  python3 deploy/make_tls.py --folder /etc/undertone/tls --days 90

It writes ca.crt and ca.key, and server.crt and server.key in a folder for each of {", ".join(SERVERS)}. Files of
your own under these names do as well, without ca.key, too. To renew a certificate delete its server.crt and server.key,
run this again, and start that server again. Exit status 1: something is wrong, or expires within {WARN_DAYS} days.
"""
# Of `openssl req` and `openssl x509`.
CONFIGURATION = """[req]
distinguished_name = subject
prompt = no
[subject]
CN = {name}
[ca]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:{name}
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


class NotUsable(Exception):
    """What is wrong with the files, and what to do."""


def certificates(folder: Path) -> dict[str, Path]:
    """Server's name, which is that of its service, -> its certificate; the key lies beside it."""
    return {server: folder / server / "server.crt" for server in SERVERS}


def make(folder: Path, group: int, days: int) -> Iterator[Path]:
    """Each certificate that was missing, once it is there with its key. Nothing that is there is changed."""
    ca = folder / "ca.crt"
    if not ca.exists():
        _write(ca, "Undertone", ("-x509", "-extensions", "ca", "-days", str(CA_DAYS)), mode=0o600)
        yield ca
    for server, certificate in certificates(folder).items():
        if not certificate.exists():
            if not ca.with_suffix(".key").exists():
                raise NotUsable(f"{ca.with_suffix('.key')} is not there to sign {certificate}: bring one of the two")
            _write(certificate, server, ("-extensions", "server", "-days", str(days)), mode=0o640, group=group, ca=ca)
            yield certificate


def _write(
    certificate: Path, name: str, options: tuple[str, ...], *, mode: int, group: int = -1, ca: Path | None = None
) -> None:
    """Both files are whole when they appear; the key first, as a key alone is noticed."""
    key = certificate.with_suffix(".key")
    if key.exists():
        raise NotUsable(f"{key} is there without {certificate.name}: bring that, or take the key away")
    if not certificate.parent.exists():
        certificate.parent.mkdir(parents=True)
        # Whatever the umask is: servers have to get at their files.
        certificate.parent.chmod(0o755)
    with tempfile.TemporaryDirectory(dir=certificate.parent, prefix=".unfinished-") as folder:
        configuration, request, new_key, new = (str(Path(folder, part)) for part in ("cnf", "csr", "key", "crt"))
        Path(configuration).write_text(CONFIGURATION.format(name=name))
        _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", new_key)
        asking = ("req", "-new", "-sha256", "-config", configuration, "-key", new_key)
        if ca is None:
            _openssl(*asking, *options, "-out", new)
        else:
            _openssl(*asking, "-out", request)
            signing = (
                "-CA",
                str(ca),
                "-CAkey",
                str(ca.with_suffix(".key")),
                "-set_serial",
                f"0x{secrets.token_hex(16)}",
            )
            _openssl(
                "x509", "-req", "-sha256", "-in", request, *signing, "-extfile", configuration, *options, "-out", new
            )
        os.chown(new_key, -1, group)
        Path(new_key).chmod(mode)
        Path(new).chmod(0o644)
        Path(new_key).rename(key)
        Path(new).rename(certificate)


def check(folder: Path) -> tuple[dict[Path, float], int]:
    """(certificate -> seconds that it is valid yet, the group that may read the keys).

    NotUsable where clients would not trust a server, or the server could not read its key, or everybody could.
    """
    ca = folder / "ca.crt"
    keys = {}
    for server, certificate in certificates(folder).items():
        who = ("-CAfile", str(ca), "-untrusted", str(certificate), "-verify_hostname", server, "-purpose", "sslserver")
        _openssl("verify", "-no_check_time", *who, str(certificate))
        key = certificate.with_suffix(".key")
        try:
            # Without a password: nobody is there to type one when the server starts.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
            keys[key] = key.stat()
        except FileNotFoundError:
            raise NotUsable(f"{key} is not there, but {certificate.name} is: bring it, or take that away") from None
        except (OSError, ValueError) as error:
            raise NotUsable(f"{key} is not the key of {certificate.name} beside it: {error}") from None
        if stat.S_IMODE(keys[key].st_mode) & 0o047 != 0o040:
            raise NotUsable(f"{key} has to be readable for its group, and for nobody else: chmod 640 {key}")
    groups = {found.st_gid for found in keys.values()}
    if len(groups) > 1:
        raise NotUsable(f"the keys belong to different groups: chgrp {GROUP} {' '.join(map(str, keys))}")
    return {path: _seconds_left(path) for path in (ca, *certificates(folder).values())}, groups.pop()


def _seconds_left(certificate: Path) -> float:
    _, _, end = _openssl("x509", "-in", str(certificate), "-noout", "-enddate").strip().partition("=")
    return ssl.cert_time_to_seconds(end) - time.time()


def _openssl(*arguments: str) -> str:
    try:
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise NotUsable("there is no command `openssl`: install it") from None
    if done.returncode:
        raise NotUsable(f"`openssl {arguments[0]}` says: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python3 deploy/make_tls.py",
        description="Writes a CA and a certificate for each server of the compose files; tells until when they hold.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--folder", type=Path, default=Path("tls"), help="default: %(default)s")
    parser.add_argument(
        "--days", type=int, default=SERVER_DAYS, help="that new certificates of servers hold; default: %(default)s"
    )
    parser.add_argument(
        "--group",
        type=int,
        default=GROUP if os.geteuid() == 0 else os.getgid(),
        help="number of the group that may read new keys; default: %(default)s",
    )
    given = parser.parse_args(arguments)
    if given.days < 1:
        parser.error("--days: at least 1")
    try:
        made = set(make(given.folder, given.group, given.days))
        seconds_left, group = check(given.folder)
    except (NotUsable, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for path, left_s in seconds_left.items():
        end = time.strftime("%Y-%m-%d", time.gmtime(time.time() + left_s))
        holds = f"holds until {end}, {left_s / DAY_S:.0f} days" if left_s > 0 else f"has expired on {end}: renew it"
        print(f"{path}: {'made, ' if path in made else ''}{holds}")
    if group != GROUP:
        print(f"The servers need the group that may read the keys: put TLS_GROUP={group} into .env")
    return int(min(seconds_left.values()) < WARN_DAYS * DAY_S)


if __name__ == "__main__":
    sys.exit(main())
