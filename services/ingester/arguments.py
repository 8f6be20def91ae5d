"""What the ingester is told on its command line."""

import argparse
import math
import re
from collections.abc import Sequence
from pathlib import Path

from services.common.errors import ConfigurationError

_NAME = re.compile(r"[a-z0-9-]{1,30}", re.ASCII)
EXAMPLES = """examples:
  python -m services.ingester                                        simulated posts, POSTS_PER_MINUTE of them
  python -m services.ingester --source replay --file posts.jsonl     a file, as fast as the workers follow
  python -m services.ingester --source replay --file posts.csv.gz --rate 600
  python -m services.ingester --source bluesky --language en         what Bluesky says right now (docs/sources.md)
  python -m services.ingester --source hackernews
  python -m services.ingester --source mastodon --instance mastodon.social
  python -m services.ingester --source reddit --subreddit books --subreddit movies
  python -m services.ingester --source rss --feed https://news.example/feed.xml --feed https://blog.example/atom.xml
  python -m services.ingester --source bluesky --source simulate --rate bluesky=3000 --rate simulate=60
"""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m services.ingester",
        description="Publishes posts to the stream. Settings come from the environment (.env.example lists them).",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--source", action="append", metavar="NAME", help=f"{', '.join(LIVE)}, replay or simulate (the default)"
    )
    parser.add_argument("--file", type=Path, help="replay: JSON lines or CSV, plain or .gz")
    parser.add_argument(
        "--rate",
        action="append",
        metavar="[NAME=]RATE",
        help="posts a minute of that source, or of each without one of its own; replay: without it, as fast as the "
        "workers follow; live sources: what is above it is skipped",
    )
    parser.add_argument(
        "--name", default="", help="of this ingester, where another has a source of the same name: they become NAME/…"
    )
    parser.add_argument("--seed", type=int, help="simulate: the same seed gives the same posts")
    add_live_arguments(parser)
    given = parser.parse_args(arguments)
    given.source = given.source or ["simulate"]
    return given


def check_name(name: str) -> None:
    """ConfigurationError if an ingester cannot be called so."""
    if name and not _NAME.fullmatch(name):
        raise ConfigurationError(f"--name: expected up to 30 of the signs a-z, 0-9 and -, not {name!r}")


LIVE = ("bluesky", "hackernews", "mastodon", "reddit", "rss")
_OF_LIVE = {
    "language": ("CODE", "live sources: only posts in this language, as their authors say: en"),
    "keyword": ("WORDS", "live sources: only posts with these words"),
    "account": ("DID", "bluesky: only posts of this account: did:plc:…"),
    "jetstream": ("URL", "bluesky: a server in place of Bluesky's own: wss://jetstream.example"),
    "subreddit": ("NAME", "reddit: a subreddit: worldnews"),
    "feed": ("URL", "rss: a feed of RSS or Atom: https://news.example/feed.xml"),
}


def add_live_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("live sources (the first of these may be given several times)")
    for name, (metavar, text) in _OF_LIVE.items():
        group.add_argument(f"--{name}", action="append", default=[], metavar=metavar, help=text)
    group.add_argument("--instance", default="", metavar="HOST", help="mastodon: the server, as mastodon.social")
    group.add_argument("--reblogs", action="store_true", help="mastodon: also what people share of others")
    group.add_argument("--bots", action="store_true", help="mastodon, reddit: also what programs write")


def live_arguments(given: argparse.Namespace) -> list[str]:
    """The same as a command line."""
    parts = [part for name in _OF_LIVE for value in getattr(given, name) for part in (f"--{name}", value)]
    parts += ["--instance", given.instance] if given.instance else []
    return parts + [f"--{name}" for name in ("reblogs", "bots") if getattr(given, name)]


def rates(given: Sequence[str] | None, names: Sequence[str]) -> dict[str, float | None]:
    """Posts a minute by source, None where nothing is said. ConfigurationError says what cannot be meant."""
    found: dict[str, float] = {}
    for text in given or ():
        name, _, number = text.rpartition("=")
        if name and name not in names:
            raise ConfigurationError(f"--rate {text}: there is no --source {name} beside it")
        try:
            found[name] = float(number)
        except ValueError:
            raise ConfigurationError(f"--rate {text}: expected a number, or as bluesky=600") from None
        # Written so that NaN is refused, too.
        if not 0 < found[name] < math.inf:
            raise ConfigurationError(f"a rate is more than 0 posts per minute, not {number}")
    return {name: found.get(name, found.get("")) for name in names}
