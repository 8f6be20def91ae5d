"""Ports on loopback for servers that tests start."""

import itertools
import os
import socket

# Below those that the kernel gives to whoever asks for any port: nobody takes one between our look and the server's.
FIRST, COUNT = 16_384, 16_384
# Each process begins elsewhere and gives no port twice before it has given all.
_candidates = itertools.count(os.getpid() * 1_009)


def free_ports(count: int) -> list[int]:
    """Different ones."""
    ports: list[int] = []
    while len(ports) < count:
        port = FIRST + next(_candidates) % COUNT
        with socket.socket() as probe:
            # As a server listens: connections of a former one that the kernel still remembers do not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
    return ports


def free_port() -> int:
    return free_ports(1)[0]
