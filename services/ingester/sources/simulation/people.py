"""Who posts: made-up user names, and a cast of them in which some people post far more often than others."""

from collections.abc import Callable

_FIRST = (
    "quiet",
    "salty",
    "velvet",
    "northern",
    "sleepy",
    "rusty",
    "lucky",
    "grumpy",
    "cosmic",
    "tiny",
    "brave",
    "paper",
    "midnight",
    "lemon",
    "clumsy",
    "golden",
    "foggy",
    "electric",
    "wandering",
    "honest",
    "pixel",
    "winter",
    "mossy",
    "spicy",
    "lazy",
    "proud",
    "silver",
    "curious",
    "humble",
    "noisy",
)
_SECOND = (
    "otter",
    "teapot",
    "lantern",
    "badger",
    "pickle",
    "comet",
    "walrus",
    "gardener",
    "sparrow",
    "biscuit",
    "captain",
    "noodle",
    "turnip",
    "violin",
    "pirate",
    "marble",
    "heron",
    "penguin",
    "thimble",
    "cactus",
    "raven",
    "waffle",
    "mole",
    "bicycle",
    "puddle",
    "wizard",
    "scarf",
    "beetle",
    "acorn",
    "kettle",
)
CAST_SIZE = 3_000


def cast(random: Callable[[], float], style: str) -> tuple[str, ...]:
    """CAST_SIZE user names as they look on "twitter" or on "reddit"."""
    return tuple(_name(random, style) for _ in range(CAST_SIZE))


def someone(random: Callable[[], float], names: tuple[str, ...]) -> str:
    """The square makes the first names of the cast its busy posters."""
    return names[int(random() ** 2 * len(names))]


def _name(random: Callable[[], float], style: str) -> str:
    first, second = _FIRST[int(random() * len(_FIRST))], _SECOND[int(random() * len(_SECOND))]
    number = str(int(random() * 9_990) + 10)
    if style == "reddit":
        shape = int(random() * 3)
        return (f"{first}-{second}-{number}", f"{first.title()}{second.title()}{number}", f"{first}_{second}")[shape]
    shape = int(random() * 4)
    return (f"{first}{second}", f"{first}_{second}{number[:2]}", f"{second}{number}", f"the_{first}_{second}")[shape]
