"""`make fuzz ARGS="--minutes 20"`: every decoder and the whole REST API under input that nobody would write."""

import argparse
import shutil
import sys
import time
from functools import partial
from pathlib import Path

from bench.progress import Progress
from tests.conftest import ROOT
from tests.fuzz import api, decoders
from tests.fuzz.catalogue import all_targets

TARGETS = all_targets()
FOLDER = ROOT / ".local" / "fuzz"
API = "api"
# Of the time: the API has as many parts as there are decoders, and is slower.
API_SHARE = 0.4
LOG_INTERVAL_S = 30.0


class Told(Progress):
    """On a terminal at once, in a log every half a minute."""

    _next = 0.0

    def percent(self, share: float, what: str) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + (0.2 if sys.stderr.isatty() else LOG_INTERVAL_S)
            super().percent(share, what)

    def executions(self, name: str, share: float, count: int) -> None:
        self.percent(share, f"{name}, {count:,}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="for all of them together")
    parser.add_argument("--only", action="append", choices=[*TARGETS, API], metavar="NAME", help="may be repeated")
    parser.add_argument("--list", action="store_true", help="the names, and the property of each")
    parser.add_argument("--again", nargs=2, metavar=("NAME", "FILE"), help="one input, as a finding names it")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="corpus and findings; kept for the next run")
    parser.add_argument("--seed", type=int, help="of the API's requests")
    parser.add_argument("--quick", action="store_true", help="the API alone, some requests, the same ones each time")
    parser.add_argument("--fresh", action="store_true", help="forget the corpus first")
    return parser.parse_args()


def main() -> int:
    arguments = parse()
    if arguments.list:
        for name, target in TARGETS.items():
            print(f"{name:22} {(target.check.__doc__ or '').splitlines()[0] if target.check.__doc__ else ''}")
        print(f"{API:22} {(api.fuzz.__doc__ or '').splitlines()[0]}")
        return 0
    if arguments.again:
        name, file = arguments.again
        TARGETS[name].check(Path(file).read_bytes())
        print(f"{name}: the property holds")
        return 0
    if arguments.fresh:
        shutil.rmtree(arguments.folder, ignore_errors=True)
    if arguments.quick:
        return quick(arguments.folder)
    names = arguments.only or [*TARGETS, API]
    return fuzz(names, 60 * arguments.minutes, arguments.folder, arguments.seed)


def fuzz(names: list[str], seconds: float, folder: Path, seed: int | None) -> int:
    """The status to end with: 1 if anything was found."""
    targets = [name for name in names if name != API]
    api_share = (API_SHARE if targets else 1.0) if API in names else 0.0
    shares = {name: seconds * (1 - api_share) / len(targets) for name in targets} | {API: seconds * api_share}
    if targets and not decoders.is_guided():
        print("there is no atheris here: many examples instead, with nothing to guide them", file=sys.stderr)
    told = Told("fuzz", len(names))
    began, done_s = time.monotonic(), 0.0
    lines, bad = [], False
    for name in names:
        share_s = shares[name]
        tell = partial(told.executions, name, done_s / seconds)
        if name == API:
            answer = api.fuzz(share_s, folder / API, seed, tell)
            lines.append(summary_of(answer))
            findings, error = f"  {folder / API / 'log'}", answer.error
        else:
            outcome = decoders.fuzz(name, share_s, folder / name, tell)
            lines.append(f"{name:22} {outcome.executions:>12,} executions, corpus {outcome.corpus:,}")
            findings, error = "\n".join(f"  {path}" for path in outcome.findings), outcome.error
        done_s += share_s
        if error:
            bad = True
            lines.append(f"  FOUND\n{findings}\n{error}")
    told.done()
    print("\n".join([*lines, f"{'found something' if bad else 'nothing found'} in {time.monotonic() - began:,.0f} s"]))
    return int(bad)


def quick(folder: Path) -> int:
    """The status to end with."""
    answer = api.fuzz(None, folder / API, 1, lambda _: None)
    print("\n".join([summary_of(answer), *([answer.error] if answer.error else [])]))
    return int(bool(answer.error))


def summary_of(answer: api.Outcome) -> str:
    statuses = ", ".join(f"{status}: {count:,}" for status, count in sorted(answer.statuses.items()))
    return f"{API:22} {answer.requests:>12,} requests ({statuses})"


if __name__ == "__main__":
    sys.exit(main())
