"""The command line of `undertone`."""

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from services.common.api_keys import SCOPES, Scope, check_name, scopes_of
from services.common.dead_letters.filters import Filter, place

EXAMPLES = {
    "list": "the newest dead letters, and how many of each reason",
    "list --reason too_long --since 2h": "of one reason, of the last two hours",
    "show 1767225600000-0": "one of them, whole",
    "replay 1767225600000-0": "publish it again",
    "replay --reason rejected_by_model": "publish all of a reason again",
    "drop --before 2026-01-31 --yes": "throw old ones away, unasked",
}
KEYS_EXAMPLES = {
    "new dashboard --scopes read": "a key that may read, shown once, and its entry in API_KEYS",
    "new operator --scopes admin": "one that may do everything",
    "check < key.txt": "whose key that is, and what it may do",
}
BACKFILL_EXAMPLES = {
    "posts.jsonl.zst --output scored": "a file, by the Triton of TRITON_URL",
    "'2019/*.csv.gz' --output scored --text-column body": "files with a column of another name",
    "posts.parquet --output scored --runtime onnxruntime": "without Triton: computed here",
    "archive/ --output scored --postgres": "stored in PostgreSQL, too; a post counts once",
    "s3://bucket/archive --output s3://bucket/scored --address ray-head:6379": "by a cluster of Ray",
}
IMPORT_EXAMPLES = {
    "posts.jsonl.gz": "a file into the stream, as fast as the workers follow",
    "2019-*.csv --text-column body --source reddit": "files with a column of another name, and without a source",
    "posts.parquet --rejects /tmp": "what is no post goes there, and not beside the file",
    "- --format tsv.zst < posts.tsv.zst": "what is piped",
}
# The field of a post, its option, and what is taken without that.
COLUMNS = {
    "content": ("text", "content or text"),
    "post_id": ("id", "post_id; without it, ids are derived from what a record says"),
    "source": ("source", "source or platform"),
    "author": ("author", "author"),
    "created_at": ("created-at", "created_at: ISO 8601, or seconds since 1970"),
}
BACKFILL_STATUS = (
    "A backfill that was stopped goes on where it was when the same command is given again.\n\n"
    "exit status: 0 done; 1 done, but records were refused; 2 could not begin or go on; 130 interrupted"
)
IMPORT_STATUS = (
    "An import that was stopped goes on where it was when the same command is given again.\n\n"
    "exit status: 0 done; 1 done, but records were refused; 2 could not begin or go on; 130 interrupted"
)
MAX_BLOCK_ROWS, MAX_PROCESSES = 100_000, 10_000
STATUS = "exit status: 0 done; 1 not all of it (a letter is gone, or was skipped); 2 could not begin; 130 interrupted"
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
MAX_LIMIT = 1_000_000


def parse(arguments: Sequence[str] | None = None, *, prog: str = "undertone") -> argparse.Namespace:
    """`area` and `command` say what to do; `filter` is what the options ask for; `ids` and `all` where they apply."""
    parser = _parser(prog)
    options = parser.parse_args(arguments)
    if options.area in ("backfill", "import"):
        columns = {name: getattr(options, f"column_{name}") for name in COLUMNS}
        options.columns = {name: column for name, column in columns.items() if column}
    if "reason" not in options:
        return options
    options.filter = Filter(options.reason, options.source, options.post_id, options.since, options.before)
    if options.command in ("replay", "drop"):
        choices = [bool(options.ids), not options.filter.is_empty, options.all]
        if sum(choices) != 1:
            parser.error(f"{options.command}: say which letters: ids, or filters as --reason, or --all")
        if options.ids and options.limit is not None:
            parser.error("--limit goes with filters or --all, not with ids")
    return options


def _parser(prog: str) -> argparse.ArgumentParser:
    epilog = _epilog(prog, "dead", EXAMPLES, STATUS)
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Looks after a running Undertone. Settings come from the environment and .env; without REDIS_URL "
        "or REDIS_HOST it looks for the Redis of `make run`.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    areas = parser.add_subparsers(dest="area", required=True, metavar="AREA")
    dead = areas.add_parser(
        "dead",
        help="dead letters: posts that were refused",
        description="Dead letters: posts that were refused and lines that are no post, with the reason.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = dead.add_subparsers(dest="command", required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="the newest, and how many of each reason")
    _filters(listing)
    listing.add_argument(
        "--limit", type=_number(MAX_LIMIT), default=20, metavar="N", help="letters at most; default: 20"
    )
    _json(listing)
    show = commands.add_parser("show", help="one letter, whole")
    show.add_argument("ids", nargs=1, type=_id, metavar="ID")
    _json(show)
    _action(commands.add_parser("replay", help="publish them again; a letter that is not whole is skipped"))
    _action(commands.add_parser("drop", help="throw them away, for good"))
    _keys(areas, prog)
    _import(areas, prog)
    _backfill(areas, prog)
    return parser


def _keys(areas: "argparse._SubParsersAction[argparse.ArgumentParser]", prog: str) -> None:
    keys = areas.add_parser(
        "keys",
        help="keys of the API",
        description="Keys of the API. API_KEYS has the SHA-256 of each, which is of no use to whoever reads it.",
        epilog=_epilog(prog, "keys", KEYS_EXAMPLES, "exit status: 0 done; 1 there is no such key; 2 could not begin"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = keys.add_subparsers(dest="command", required=True, metavar="COMMAND")
    new = commands.add_parser("new", help="make a key")
    new.add_argument("name", type=_key_name, metavar="NAME", help="whose it is, as logs and metrics will call them")
    scopes = f"what it may do: {', '.join(SCOPES)}, with a comma between"
    new.add_argument("--scopes", type=_key_scopes, required=True, metavar="SCOPES", help=scopes)
    _json(new)
    _json(commands.add_parser("check", help="read a key from standard input and say whose it is"))


def _import(areas: "argparse._SubParsersAction[argparse.ArgumentParser]", prog: str) -> None:
    lines = "\n".join(f"  {prog} import {command}\n      {what}" for command, what in IMPORT_EXAMPLES.items())
    importing = areas.add_parser(
        "import",
        help="files of posts into the stream",
        description="Publishes the posts of files: JSON Lines, CSV and TSV, plain, .gz or .zst, and Parquet. .zst and "
        "Parquet need the extra `archives`.",
        epilog=f"examples:\n{lines}\n\n{IMPORT_STATUS}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    importing.add_argument("paths", nargs="+", metavar="FILE", help="files; -: standard input")
    importing.add_argument("--format", default="", metavar="SUFFIXES", help="of standard input, as jsonl or csv.gz")
    _columns(importing)
    importing.add_argument(
        "--rejects", default="", metavar="FOLDER", help="where FILE.rejects.jsonl goes; default: beside the file"
    )
    importing.add_argument("--again", action="store_true", help="from the beginning, also what was imported before")


def _columns(parser: argparse.ArgumentParser) -> None:
    for field, (option, names) in COLUMNS.items():
        parser.add_argument(
            f"--{option}-column", dest=f"column_{field}", metavar="NAME", help=f"column of it; default: {names}"
        )
    parser.add_argument("--source", default="", metavar="TEXT", help="source of posts that have none, as reddit")


def _backfill(areas: "argparse._SubParsersAction[argparse.ArgumentParser]", prog: str) -> None:
    lines = "\n".join(f"  {prog} backfill {command}\n      {what}" for command, what in BACKFILL_EXAMPLES.items())
    backfill = areas.add_parser(
        "backfill",
        help="archives of posts through the models",
        description="Scores archives: Parquet, CSV, TSV and JSON Lines, the latter three plain, .gz or .zst, here or "
        "in any store that fsspec knows. Needs the extra `ray` (docs/backfill.md).",
        epilog=f"examples:\n{lines}\n\n{BACKFILL_STATUS}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    backfill.add_argument("paths", nargs="+", metavar="PATH", help="files, folders, globs (quoted), or URLs of them")
    backfill.add_argument("--output", required=True, metavar="FOLDER", help="where results go: a new folder, or a URL")
    backfill.add_argument(
        "--runtime",
        choices=("triton", "onnxruntime"),
        default="triton",
        help="who computes: the Triton of TRITON_URL, or ONNX Runtime in these processes; default: %(default)s",
    )
    backfill.add_argument("--postgres", action="store_true", help="store posts in the database of the settings, too")
    _columns(backfill)
    backfill.add_argument(
        "--block-rows",
        type=_number(MAX_BLOCK_ROWS),
        default=2_048,
        metavar="N",
        help="records that are scored, written and, after a stop, done again as one; default: %(default)s",
    )
    backfill.add_argument(
        "--processes",
        type=_number(MAX_PROCESSES),
        metavar="N",
        help="that score at once, one for each core at most; default: 2 with Triton, else all of them",
    )
    backfill.add_argument(
        "--threads",
        type=_number(1_000),
        default=1,
        metavar="N",
        help="that each of them computes with, --runtime onnxruntime; default: %(default)s",
    )
    backfill.add_argument(
        "--address", default="", metavar="HOST:PORT", help="of a cluster of Ray; without it, one is started here"
    )


def _epilog(prog: str, area: str, examples: Mapping[str, str], status: str) -> str:
    lines = "\n".join(f"  {prog} {area} {command:<35} {what}" for command, what in examples.items())
    return f"examples:\n{lines}\n`{prog} {area} COMMAND --help` lists the options of a command.\n\n{status}"


def _action(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ids", nargs="*", type=_id, metavar="ID", help="letters, as `list` shows them")
    _filters(parser)
    parser.add_argument("--all", action="store_true", help="every letter")
    parser.add_argument("--limit", type=_number(MAX_LIMIT), metavar="N", help="of those only the oldest N")
    parser.add_argument("--yes", action="store_true", help="do not ask, however many there are")
    _json(parser)


def _filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", metavar="CODE", help="only of this reason, as too_long")
    parser.add_argument("--source", help="only of this source, as reddit")
    parser.add_argument("--post-id", metavar="ID", help="only of this post")
    parser.add_argument("--since", type=_moment, metavar="TIME", help="buried since: 30m, 2h, 7d, or an ISO 8601 time")
    parser.add_argument("--before", type=_moment, metavar="TIME", help="buried before")


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")


def _id(text: str) -> str:
    try:
        place(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _key_name(text: str) -> str:
    try:
        check_name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _key_scopes(text: str) -> frozenset[Scope]:
    try:
        return scopes_of(text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _number(most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,7}", text) or not 1 <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {most:,}")
        return int(text)

    return number


def _moment(text: str) -> datetime:
    """So long ago, or a time; one without an offset is UTC."""
    try:
        if ago := re.fullmatch(r"([0-9]{1,6})([smhdw])", text):
            return datetime.now(UTC) - timedelta(**{UNITS[ago[2]]: int(ago[1])})
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time: say 30m, 2h, 7d, or as 2026-01-31T12:00 (UTC without an offset)"
        ) from None
