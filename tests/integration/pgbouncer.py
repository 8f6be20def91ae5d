"""A real PgBouncer in transaction mode before the tests' PostgreSQL, with fewer sessions than it has clients."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from tests.embedded import open_folder
from tests.integration.database_roles import PASSWORDS
from tests.ports import free_port

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
NEEDED = pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not there: apt-get install pgbouncer")
# Sessions on the server, of each user in each database.
SESSIONS = 2
START_TIMEOUT_S = 10.0


@contextmanager
def running_pgbouncer(dsn: str) -> Iterator[str]:
    """The DSN that leads through it to the same database. As Debian has it set up, but for the mode and the sizes."""
    assert PROGRAM is not None
    server, port = urlsplit(dsn), free_port()
    users = {str(server.username): str(server.password), **PASSWORDS}
    with open_folder() as folder:
        (folder / "users.txt").write_text("".join(f'"{user}" "{password}"\n' for user, password in users.items()))
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={server.port}\n"
            "[pgbouncer]\nlisten_addr = 127.0.0.1\nunix_socket_dir =\npool_mode = transaction\n"
            f"listen_port = {port}\nauth_type = scram-sha-256\nauth_file = {folder}/users.txt\n"
            f"default_pool_size = {SESSIONS}\nmax_client_conn = 100\nserver_round_robin = 1\n"
        )
        as_nobody = ["-u", "nobody"] if os.geteuid() == 0 else []
        log = folder / "output"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [PROGRAM, *as_nobody, str(folder / "pgbouncer.ini")], stdout=output, stderr=output
            )
        try:
            deadline = time.monotonic() + START_TIMEOUT_S
            while b"process up" not in log.read_bytes():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.02)
            yield server._replace(netloc=server.netloc.replace(f":{server.port}", f":{port}")).geturl()
        finally:
            process.kill()
            process.wait()
