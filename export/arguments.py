"""The command line of `python -m export`."""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from dotenv import dotenv_values

from export.spec import PRECISIONS, Precision
from export.triton_config import CANARY_SUFFIX

COMMANDS = ("export", "verify", "list", "promote", "rollback", "canary", "remove", "tune")
# The checkpoints of the two models, pinned: a hub's `main` may change under our feet.
DEFAULT_CHECKPOINTS = {
    "sentiment": ("distilbert-base-uncased-finetuned-sst-2-english", "714eb0fa89d2f80546fda750413ed43d93601a13"),
    "emotion": ("j-hartmann/emotion-english-distilroberta-base", "0e1cd914e3d46199ed785853e12b57304e04178b"),
}
# The settings that name another checkpoint, as in the environment and .env of the services.
CHECKPOINT_SETTINGS = {"sentiment": "HUGGINGFACE_MODEL", "emotion": "EMOTION_MODEL"}
EXAMPLES = """examples:
  python -m export sentiment                                        the default checkpoint, from the hub
  python -m export sentiment --model ./my-distilbert --data dev.tsv       a folder, its accuracy checked too
  python -m export emotion --model SamLowe/roberta-base-go_emotions --precisions fp32,int8
  python -m export list                                             models, versions, which one serves
  python -m export promote sentiment                                the newest version into service, without a pause
  python -m export promote sentiment 2 --canary 10                  only a tenth of the batches, to compare
  python -m export canary sentiment                                 how the canary compares
  python -m export rollback sentiment                               back to what served before
  python -m export tune sentiment --latency-ms 50                   threads, instances and queue delay, under load
`python -m export COMMAND --help` lists the options of a command.
"""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options; `command` says what to do. `python -m export sentiment …` is short for `… export sentiment …`."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and not given[0].startswith("-") and given[0] not in COMMANDS:
        given.insert(0, "export")
    parser = argparse.ArgumentParser(
        prog="python -m export",
        description="Turns DistilBERT and RoBERTa checkpoints into verified, versioned models that Triton serves.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _export(commands.add_parser("export", help="export a checkpoint, verify it, publish it as a new version"))
    _verify(commands.add_parser("verify", help="run the checks again on a published version"))
    _list(commands.add_parser("list", help="models, versions, which one serves"))
    _promote(commands.add_parser("promote", help="put a version into service, or give it a share (--canary)"))
    _rollback(commands.add_parser("rollback", help="put the version into service that served before"))
    _canary(commands.add_parser("canary", help="how a canary compares with the version in service; --stop ends it"))
    _remove(commands.add_parser("remove", help="delete a version that does not serve"))
    _tune(commands.add_parser("tune", help="find the best threads, instances and queue delay under load"))
    return parser.parse_args(given)


def _export(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    parser.add_argument("--model", metavar="ID|FOLDER", help="checkpoint: a hub id or a folder; default: as configured")
    parser.add_argument("--revision", metavar="COMMIT", help="commit, branch or tag of the hub")
    parser.add_argument("--version", type=_positive, metavar="N", help="number to publish; default: the next free one")
    parser.add_argument(
        "--precisions",
        type=_precisions,
        default=_precisions("fp32,fp16"),
        metavar="LIST",
        help="of fp32, fp16 (for GPUs) and int8 (dynamic, for CPUs); default: fp32,fp16",
    )
    _checks(parser)
    _repository(parser)


def _verify(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    _version(parser, "default: the newest")
    parser.add_argument("--model", metavar="ID|FOLDER", help="the checkpoint to compare with; default: none")
    parser.add_argument("--revision", metavar="COMMIT", help="its revision; default: the version's own")
    _checks(parser)
    _repository(parser)


def _checks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, metavar="FILE", help="labelled posts to measure accuracy on: .tsv or .jsonl"
    )
    parser.add_argument("--texts", type=Path, metavar="FILE", help="posts to check with, instead of the built-in ones")
    parser.add_argument(
        "--max-accuracy-loss", type=float, default=1.0, metavar="POINTS", help="against the one in service; default: 1"
    )
    parser.add_argument(
        "--min-speed", type=float, default=0.9, metavar="RATIO", help="against the one in service; default: 0.9"
    )
    parser.add_argument("--allow-slower", action="store_true", help="publish although it is slower than --min-speed")
    parser.add_argument("--without-triton", action="store_true", help="skip the checks that need the embedded Triton")


def _list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")
    _repository(parser)
    _servers(parser)


def _promote(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    _version(parser, "default: the newest")
    parser.add_argument("--canary", type=_share, metavar="PERCENT", help="only so many of the batches, to compare")
    _repository(parser)
    _servers(parser)


def _rollback(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    _repository(parser)
    _servers(parser)


def _canary(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    parser.add_argument("--stop", action="store_true", help="end it; the version in service answers everything again")
    parser.add_argument(
        "--metrics",
        action="append",
        metavar="URL",
        help="metrics page of a worker, repeated for several; default: http://localhost:9101/metrics",
    )
    _repository(parser)
    _servers(parser)


def _remove(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    parser.add_argument("version", type=_positive)
    _repository(parser)


def _tune(parser: argparse.ArgumentParser) -> None:
    _name(parser)
    parser.add_argument(
        "--latency-ms", type=_positive_float, required=True, metavar="MS", help="limit of the 95th percentile"
    )
    parser.add_argument("--threads", type=_numbers, metavar="LIST", help="of an instance; default: 1, 2, 4 … all cores")
    parser.add_argument("--instances", type=_numbers, metavar="LIST", help="default: 1, 2 … all cores")
    parser.add_argument(
        "--queue-delay-us", type=_numbers_from_0, default=[0, 500, 2_000], metavar="LIST", help="default: 0,500,2000"
    )
    parser.add_argument("--seconds", type=_positive_float, default=5.0, help="of load for a setting; default: 5")
    parser.add_argument("--rounds", type=_positive, default=3, help="how often each setting is visited; default: 3")
    parser.add_argument("--concurrency", type=_positive, default=4, help="requests under way at once; default: 4")
    parser.add_argument("--rows", type=_positive, default=16, help="posts in a request; default: 16")
    parser.add_argument("--tokens", type=_positive, default=32, help="of an ordinary post; default: 32")
    parser.add_argument("--dry-run", action="store_true", help="print the table, write nothing")
    _repository(parser)
    _servers(parser, several=False)


def _name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", type=_model_name, help="Triton's name of the model, as sentiment or emotion")


def _version(parser: argparse.ArgumentParser, help_text: str) -> None:
    parser.add_argument("version", type=_positive, nargs="?", help=help_text)


def _repository(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--repository",
        type=Path,
        default=Path(setting("MODEL_REPOSITORY") or "model_repository"),
        metavar="FOLDER",
        help="default: %(default)s (MODEL_REPOSITORY)",
    )


def _servers(parser: argparse.ArgumentParser, *, several: bool = True) -> None:
    named = setting("TRITON_URL") or f"localhost:{setting('LOCAL_TRITON_GRPC_PORT') or 8001}"
    default = [part.strip().removeprefix("grpc://").removeprefix("dns:///") for part in named.split(",")]
    more = ", repeated for several" if several else ""
    parser.add_argument(
        "--triton",
        action="append",
        metavar="HOST:PORT",
        help=f"the server's gRPC address{more}; default: {', '.join(default)} (TRITON_URL)",
    )
    if several:
        parser.add_argument("--offline", action="store_true", help="only the repository, no server is asked")
    parser.set_defaults(default_triton=default)


def setting(name: str) -> str:
    """A setting of the environment or, as for the services, of `.env`; empty where there is none."""
    return os.environ.get(name) or dotenv_values(".env").get(name) or ""


def checkpoint_of(name: str, model: str | None, revision: str | None) -> tuple[str, str | None] | None:
    """(checkpoint, revision) for a model: as given, else as configured, else the pinned default; None: none is."""
    if model:
        return model, revision
    default, pinned = DEFAULT_CHECKPOINTS.get(name, ("", ""))
    configured = setting(CHECKPOINT_SETTINGS[name]) if name in CHECKPOINT_SETTINGS else ""
    if configured and configured != default:
        return configured, revision
    return (default, revision or pinned) if default else None


def _model_name(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,63}", text) or text.endswith(CANARY_SUFFIX):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no name for a model: lower-case letters, digits, - and _, not ending in {CANARY_SUFFIX}"
        )
    return text


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no positive number")
    return int(text)


def _positive_float(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no positive number")
    return value


def _share(text: str) -> int:
    value = _positive(text)
    if value > 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no percentage from 1 to 100")
    return value


def _numbers(text: str) -> list[int]:
    return [_positive(part) for part in text.split(",")]


def _numbers_from_0(text: str) -> list[int]:
    return [0 if part == "0" else _positive(part) for part in text.split(",")]


def _precisions(text: str) -> tuple[Precision, ...]:
    """fp16 stands for both GPU files: fused for CUDA, in standard operators for TensorRT."""
    asked = [part.strip() for part in text.split(",")]
    unknown = [part for part in asked if part not in ("fp32", "fp16", "int8")]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is no precision: choose of fp32, fp16, int8")
    wanted = {*asked, *(["trt"] if "fp16" in asked else [])}
    return tuple(precision for precision in PRECISIONS if precision in wanted)
