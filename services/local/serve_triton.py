"""`python -m services.local.serve_triton`: the embedded Triton alone, over any model repository.

For people, and for programs that want a server for a while. Such a program keeps our standard input open: when it ends,
however it ends, the server ends too.
"""

import argparse
import asyncio
import json
import os
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import get_args

from services.common.cpu_runtime import CpuRuntime
from services.common.errors import UndertoneError
from services.local.child import Child
from services.local.runner import StartFailed
from services.local.single_run import SingleRun
from services.local.triton import READY_TIMEOUT_S, triton_child
from services.local.triton_env import env_for
from services.local.triton_machine import check_port_free, remove_stale_regions

EXAMPLES = """\
When every model answers, one line of JSON appears on standard output: grpc_port, metrics_port and pid. The server runs
until SIGTERM, Ctrl-C or the end of standard input (a terminal is not read). Exit status 1: it did not get ready, or it
ended by itself; standard error says why.

examples:
  python -m services.local.serve_triton --model-repository model_repository
  python -m services.local.serve_triton --model-repository model_repository --load sentiment --grpc-port 8001
  python -m services.local.serve_triton --model-repository /tmp/candidate --threads 2 --ready-timeout 60
"""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m services.local.serve_triton",
        description="Starts the embedded Triton on loopback, over a model repository.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model-repository", type=Path, required=True, metavar="DIR", help="served as it stands")
    parser.add_argument("--env-dir", type=Path, metavar="DIR", help="default: that of `make run` for the configuration")
    parser.add_argument("--work-dir", type=Path, metavar="DIR", help="for the backends; default: a temporary folder")
    parser.add_argument("--grpc-port", type=_port, default=0, metavar="PORT", help="default: a free one")
    parser.add_argument("--metrics-port", type=_port, default=0, metavar="PORT", help="default: a free one")
    parser.add_argument("--config-name", default="cpu", metavar="NAME", help="configs/NAME.pbtxt; default: %(default)s")
    parser.add_argument("--load", action="append", default=[], metavar="NAME", help="may be repeated; default: all")
    parser.add_argument(
        "--threads", type=_positive, metavar="N", help="of each instance on the CPU; default: its share of the cores"
    )
    parser.add_argument(
        "--cpu-runtime",
        choices=get_args(CpuRuntime),
        default="onnxruntime",
        help="what computes on the CPU; auto: the fastest found on this machine; default: %(default)s",
    )
    parser.add_argument(
        "--ready-timeout", type=_positive, default=READY_TIMEOUT_S, metavar="S", help="seconds; default: %(default)g"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 after a stop that was asked for, else 1."""
    options = parse(arguments)
    try:
        with _work_dir(options.work_dir) as work_dir:
            ports = _ports(options)
            child = _child(options, ports, work_dir)
            try:
                asyncio.run(SingleRun(child, _tell).run(lambda pid: print(_ready_line(ports, pid), flush=True)))
            finally:
                # A server that was killed leaves its shared memory.
                remove_stale_regions(child.cwd)
    except StartFailed as error:
        _tell(f"error: {error}", *(f"  {line}" for line in error.lines))
        return 1
    except (UndertoneError, OSError) as error:  # OSError: a full disk, a folder that may not be written
        _tell(f"error: {error}")
        return 1
    except KeyboardInterrupt:  # before we listened
        return 0
    return 0


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody uses now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _ports(options: argparse.Namespace) -> tuple[int, int]:
    """(gRPC, metrics); ConfigurationError where one that was asked for is taken."""
    asked = {"--grpc-port": options.grpc_port, "--metrics-port": options.metrics_port}
    for flag, port in asked.items():
        if port:
            check_port_free(port, flag)
    grpc_port, metrics_port = (port or free for port, free in zip(asked.values(), free_ports(2), strict=True))
    return grpc_port, metrics_port


def _child(options: argparse.Namespace, ports: tuple[int, int], work_dir: Path) -> Child:
    triton_dir = Path(os.environ.get("LOCAL_DIR") or ".local") / "triton"
    child = triton_child(
        env_dir=options.env_dir or env_for(options.config_name, triton_dir)[0],
        model_repository=options.model_repository,
        work_dir=work_dir,
        grpc_port=ports[0],
        metrics_port=ports[1],
        config_name=options.config_name,
        threads=options.threads,
        only=tuple(dict.fromkeys(options.load)),
        cpu_runtime=options.cpu_runtime,
    )
    return replace(child, name="Triton", ready_timeout_s=float(options.ready_timeout))


def _ready_line(ports: tuple[int, int], pid: int) -> str:
    return json.dumps({"grpc_port": ports[0], "metrics_port": ports[1], "pid": pid})


@contextmanager
def _work_dir(given: Path | None) -> Iterator[Path]:
    if given is None:
        with tempfile.TemporaryDirectory(prefix="undertone-triton-") as name:
            yield Path(name)
    else:
        given.mkdir(parents=True, exist_ok=True)
        yield given


def _tell(*lines: str) -> None:
    """Nobody may listen any more."""
    with suppress(OSError):
        os.write(2, "".join(f"{line}\n" for line in lines).encode())


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**16:
        raise argparse.ArgumentTypeError("must be from 0 to 65535")
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


if __name__ == "__main__":
    sys.exit(main())
