"""A small grammar of nested templates, compiled once and expanded at some hundred thousand words a second.

In a template `<a|b|c>` is one of several, `[a]` is there half of the time, `{name}` is a word bound in the scene or a
rule of the grammar, and `{a name}` puts "a" or "an" before it. All of these nest.

Agreement comes from the noun that a sentence is about: `{thing}` is its text, and `{is}`, `{was}`, `{has}`, `{does}`,
`{it}`, `{them}`, `{this}`, `{s}` ("work{s}") and `{es}` ("crash{es}") follow its number.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

_SINGULAR = {
    "is": "is",
    "was": "was",
    "has": "has",
    "does": "does",
    "it": "it",
    "them": "it",
    "this": "this",
    "s": "s",
}
_PLURAL = {
    "is": "are",
    "was": "were",
    "has": "have",
    "does": "do",
    "it": "they",
    "them": "them",
    "this": "these",
    "s": "",
}
AGREEMENT = frozenset(_SINGULAR) | {"es", "thing"}

_VOWELS = tuple("aeiou")
# Written with one kind of letter and spoken with the other.
_SPOKEN_CONSONANT = ("unic", "unif", "uniq", "unit", "univ", "use", "usu", "eu", "one")
_SPOKEN_VOWEL = ("hour", "honest", "heir", "8", "11", "18")


@dataclass(slots=True)
class Scene:
    """What one expansion draws from: a random number source, bound words, the noun's forms, and the grammar's rules."""

    random: Callable[[], float]
    rules: Mapping[str, "Choice"]
    bound: Mapping[str, str]
    noun: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Slot:
    name: str
    article: bool

    def write(self, scene: Scene, out: list[str]) -> None:
        word = scene.noun.get(self.name) or scene.bound.get(self.name)
        if word is None:
            if self.name in scene.noun:
                return
            before = len(out)
            scene.rules[self.name].write(scene, out)
            if not self.article:
                return
            word = "".join(out[before:])
            del out[before:]
        out.append(with_article(word) if self.article else word)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several sequences, each as likely as the others."""

    options: tuple["Sentence", ...]

    def write(self, scene: Scene, out: list[str]) -> None:
        options = self.options
        write(options[int(scene.random() * len(options))], scene, out)


Part: TypeAlias = str | Slot | Choice
Sentence: TypeAlias = tuple[Part, ...]


def write(sentence: Sentence, scene: Scene, out: list[str]) -> None:
    """Append the pieces of one expansion to `out`."""
    for part in sentence:
        if isinstance(part, str):
            out.append(part)
        else:
            part.write(scene, out)


def expand(sentence: Sentence, scene: Scene) -> str:
    out: list[str] = []
    write(sentence, scene, out)
    return "".join(out)


def with_article(word: str) -> str:
    """ "an update", "a unit", "an hour"."""
    lower = word.lower()
    spoken_vowel = lower.startswith(_SPOKEN_VOWEL) or (
        lower.startswith(_VOWELS) and not lower.startswith(_SPOKEN_CONSONANT)
    )
    return f"{'an' if spoken_vowel else 'a'} {word}"


def noun_forms(noun: str) -> dict[str, str]:
    """The words that agree with a noun; a trailing "+" marks a plural: "speakers+"."""
    plural = noun.endswith("+")
    forms = dict(_PLURAL if plural else _SINGULAR)
    forms["thing"] = noun.rstrip("+")
    forms["es"] = "" if plural else "es"
    return forms


def rule(texts: Sequence[str]) -> Choice:
    return Choice(tuple(parse(text) for text in texts))


def parse(text: str) -> Sentence:
    """The compiled template; ValueError if its brackets do not match."""
    characters = iter(text)
    parts, end = _sequence(characters, text)
    if end:
        raise ValueError(f"unexpected {end!r} in template {text!r}")
    return parts


def slots(sentence: Sentence) -> Iterator[str]:
    """The names that a template refers to, at any depth."""
    for part in sentence:
        if isinstance(part, Slot):
            yield part.name
        elif isinstance(part, Choice):
            for option in part.options:
                yield from slots(option)


def _sequence(characters: Iterator[str], text: str) -> tuple[Sentence, str]:
    """The parts up to a separator or closing bracket of the level above, and that character ("" at the end)."""
    parts: list[Part] = []
    literal: list[str] = []
    for character in characters:
        if character not in "<[{|>]}":
            literal.append(character)
            continue
        if literal:
            parts.append("".join(literal))
            literal = []
        if character in "|>]}":
            return tuple(parts), character
        parts.append(_bracket(character, characters, text))
    if literal:
        parts.append("".join(literal))
    return tuple(parts), ""


def _bracket(opening: str, characters: Iterator[str], text: str) -> Part:
    options: list[Sentence] = []
    end = "|"
    while end == "|":
        option, end = _sequence(characters, text)
        options.append(option)
    if end != {"<": ">", "[": "]", "{": "}"}[opening]:
        raise ValueError(f"{opening!r} is not closed in template {text!r}")
    if opening == "{":
        [name] = options[0]
        assert isinstance(name, str)
        return Slot(name.removeprefix("a "), name.startswith("a "))
    return Choice((*options, ()) if opening == "[" else tuple(options))
