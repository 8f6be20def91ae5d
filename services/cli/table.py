"""Letters as a table that fits the terminal."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.cli.visible import cells, padded, shortened, visible
from services.common.dead_letters.reading import Letter

GAP = "  "
# Below this the text says nothing; other columns go first.
MIN_TEXT_CELLS = 24
# Of a text, more than any terminal is wide.
MAX_TEXT_CHARS = 1_000


@dataclass(frozen=True)
class Column:
    """`rank`: the higher, the earlier it goes where there is no room. `most`: cells at most."""

    title: str
    value: Callable[[Letter], str]
    rank: int
    most: int


COLUMNS = (
    Column("ID", lambda letter: letter.id, 0, 41),
    Column("BURIED (UTC)", lambda letter: f"{letter.buried_at:%Y-%m-%d %H:%M}", 2, 16),
    Column("REASON", lambda letter: letter.reason, 0, 24),
    Column("SOURCE", lambda letter: letter.source, 1, 12),
    Column("POST", lambda letter: letter.post_id, 3, 20),
)


def table(letters: Sequence[Letter], width: int) -> list[str]:
    """A line of titles and one for each letter, none wider than `width` (if that is 40 or more)."""
    # Line breaks and runs of spaces are one space here; `show` tells them apart.
    texts = [visible(" ".join((letter.content or letter.error)[:MAX_TEXT_CHARS].split())) for letter in letters]
    columns = [(column, _cells_of(column, letters)) for column in COLUMNS]
    while (room := width - sum(needed + len(GAP) for _, needed in columns)) < MIN_TEXT_CELLS:
        last = max(columns, key=lambda item: item[0].rank)
        if last[0].rank == 0:
            break
        columns.remove(last)
    room = max(room, 1)
    lines = [GAP.join([*(padded(column.title, needed) for column, needed in columns), "TEXT"])]
    for letter, text in zip(letters, texts, strict=True):
        values = [padded(_value(column, letter), needed) for column, needed in columns]
        lines.append(GAP.join([*values, shortened(text, room)]))
    return [shortened(line, width) for line in lines]


def _value(column: Column, letter: Letter) -> str:
    return shortened(visible(column.value(letter)[:MAX_TEXT_CHARS]), column.most)


def _cells_of(column: Column, letters: Sequence[Letter]) -> int:
    return max(len(column.title), *(cells(_value(column, letter)) for letter in letters))
