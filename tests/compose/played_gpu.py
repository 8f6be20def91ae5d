"""Runs in a container of the tests, with the standard library alone: plays a GPU's metrics, and asks Prometheus.

`serve` exposes what a Triton on a GPU adds to its metrics, made up, since the tests have no GPU. `ask` reads a list of
expressions from standard input and writes what Prometheus answers to each. `get` writes the status of each URL.
"""

import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PROMETHEUS = "http://prometheus:9090/api/v1"
METRICS = b"".join(
    b'# TYPE %s %s\n%s{gpu_uuid="GPU-played"} %d\n' % (name, kind, name, value)
    for name, kind, value in (
        (b"nv_gpu_utilization", b"gauge", 1),
        (b"nv_gpu_memory_total_bytes", b"gauge", 80_000_000_000),
        (b"nv_gpu_memory_used_bytes", b"gauge", 20_000_000_000),
        (b"nv_gpu_power_usage", b"gauge", 300),
        (b"nv_gpu_power_limit", b"gauge", 700),
        (b"nv_energy_consumption", b"counter", 1_000),
    )
)


class Metrics(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(METRICS)))
        self.end_headers()
        self.wfile.write(METRICS)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: it is asked every second."""


def answer(path: str) -> object:
    try:
        with urllib.request.urlopen(PROMETHEUS + path, timeout=30) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        return json.load(error)


def status(url: str) -> int | str:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError as error:
        return str(error)


def main(task: str) -> None:
    if task == "serve":
        ThreadingHTTPServer(("0.0.0.0", 8000), Metrics).serve_forever()
    questions = json.load(sys.stdin)
    if task == "get":
        json.dump([status(url) for url in questions], sys.stdout)
    else:
        json.dump([answer(f"/query?{urllib.parse.urlencode({'query': each})}") for each in questions], sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
