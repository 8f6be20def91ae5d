"""Letters and outcomes for a person and for a program."""

import json
from collections.abc import Sequence

from services.cli.table import table
from services.cli.visible import visible
from services.common.dead_letters.reading import Letter, Totals

NONE = "There are no dead letters."
NONE_LIKE_THAT = "No dead letter is like that."


def print_list(letters: Sequence[Letter], totals: Totals, width: int, *, filtered: bool, has_more: bool) -> None:
    if totals.total == 0:
        print(NONE)
        return
    if letters:
        print("\n".join([*table(letters, width), ""]))
    else:
        print(NONE_LIKE_THAT)
    of = "of those asked for" if filtered else ""
    more = f"; more {of}".rstrip() + " with --limit" if has_more else ""
    print(f"{len(letters):,} of {letters_word(totals.total)}{more}")
    print("by reason: " + ", ".join(f"{visible(reason)} {count:,}" for reason, count in totals.by_reason.items()))


def print_letter(letter: Letter) -> None:
    rows = [
        ("id", letter.id),
        ("buried", f"{letter.buried_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("reason", letter.reason),
        ("error", letter.error),
        ("deliveries", str(letter.deliveries)),
        ("entry", letter.stream_id or "none: it was never in the stream"),
        ("replay", f"no: {letter.obstacle}" if letter.obstacle else "possible"),
    ]
    for name, value in rows:
        print(f"{name + ':':<12} {visible(value)}")
    print("\nwhat was refused:")
    for name, value in letter.fields.items():
        # Line breaks are shown as such, everything else that is not seen as its code.
        lines = [visible(line) for line in value.split("\n")]
        print(f"  {visible(name)}: " + "\n    ".join(lines))


def print_outcome(
    command: str, done: int, skipped: Sequence[tuple[Letter, str]], skipped_count: int, gone: int
) -> None:
    print(f"{'replayed' if command == 'replay' else 'dropped'} {letters_word(done)}")
    if gone:
        print(f"{letters_word(gone)} not there (any more)")
    if skipped_count:
        print(f"skipped {letters_word(skipped_count)}, which stay:")
        for letter, why in skipped:
            print(f"  {letter.id}  {visible(why)}")
        if skipped_count > len(skipped):
            print(f"  and {skipped_count - len(skipped):,} more")


def letters_word(count: int) -> str:
    return "1 letter" if count == 1 else f"{count:,} letters"


def listing(letters: Sequence[Letter], totals: Totals, *, has_more: bool) -> dict[str, object]:
    return {
        "letters": [as_json(letter) for letter in letters],
        "total": totals.total,
        "by_reason": totals.by_reason,
        "has_more": has_more,
    }


def as_json(letter: Letter) -> dict[str, object]:
    return {
        "id": letter.id,
        "buried_at": letter.buried_at.isoformat(),
        "reason": letter.reason,
        "error": letter.error,
        "deliveries": letter.deliveries,
        "stream_id": letter.stream_id,
        "cut": letter.cut or None,
        "obstacle": letter.obstacle or None,
        "fields": letter.fields,
    }


def outcome(
    command: str, done: int, skipped: Sequence[tuple[Letter, str]], skipped_count: int, gone: int
) -> dict[str, object]:
    return {
        "replayed" if command == "replay" else "dropped": done,
        "skipped": skipped_count,
        "gone": gone,
        "examples_skipped": [{"id": letter.id, "obstacle": why} for letter, why in skipped],
    }


def print_json(value: object) -> None:
    # In ASCII, so that no text of a stranger reaches the terminal. JSON leaves only this one as it is.
    print(json.dumps(value, indent=2).replace("\x7f", "\\u007f"))
