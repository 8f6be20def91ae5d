"""Turns a feeling about a topic into a post: a tweet-like line or a Reddit-like text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from services.ingester.sources.simulation import noise, people, phrases
from services.ingester.sources.simulation.grammar import Choice, Scene, Sentence, expand, noun_forms, parse, rule
from services.ingester.sources.simulation.mood import Feeling
from services.ingester.sources.simulation.topic import EMOTIONS, Emotion, Topic

T = TypeVar("T")

MAX_TWEET_CHARS = 280
REDDIT_SHARE = 0.35
_EXCITED = frozenset({"joy", "anger", "surprise", "fear", "disgust"})
# Letters of made-up short links.
_LINK = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


@dataclass(frozen=True, slots=True)
class Draft:
    """A written post, before it has an id and a time."""

    source: str
    author: str
    content: str


class Phrasebook:
    """A topic's vocabulary, compiled, together with what is common to all topics."""

    def __init__(self, topic: Topic, common: Mapping[str, Choice]) -> None:
        self.rules = {**common, **{name: rule(texts) for name, texts in topic.rules.items()}}
        self.nouns = [noun_forms(thing) for thing in topic.things]
        self.brands = topic.brands
        self.hashtags = topic.hashtags
        reviews = phrases.REVIEWS if topic.reviewed else {}
        self.statements = {
            emotion: [parse(text) for text in (*topic.clauses[emotion], *reviews.get(emotion, ()))]
            for emotion in EMOTIONS
        }


def phrasebooks(topics: Sequence[Topic]) -> dict[str, Phrasebook]:
    common = {name: rule(texts) for name, texts in phrases.COMMON.items()}
    return {topic.name: Phrasebook(topic, common) for topic in topics}


class Writer:
    """Writes posts of one cast of people. The same random numbers give the same posts."""

    def __init__(self, topics: Sequence[Topic], random: Random) -> None:
        self._random = random
        self._books = phrasebooks(topics)
        self._openers = _compiled(phrases.OPENERS)
        self._reactions = _compiled(phrases.REACTIONS)
        self._replies = _compiled(phrases.REPLIES)
        self._stories = [parse(text) for text in phrases.STORIES]
        self._closings = [parse(text) for text in phrases.CLOSINGS]
        self._tweeters = people.cast(random.random, "twitter")
        self._redditors = people.cast(random.random, "reddit")

    def write(self, feeling: Feeling) -> Draft:
        random = self._random.random
        book = self._books[feeling.topic.name]
        brand = feeling.event.brand if feeling.event else self._pick(book.brands)
        scene = Scene(random, book.rules, {"brand": brand}, self._pick(book.nouns))
        # Surprise alone is neither good nor bad: what follows it says which.
        reaction: Emotion = "joy" if feeling.sentiment == "positive" else feeling.emotion
        reacts = reaction != feeling.emotion or random() < 0.45
        after = [self._sentence(self._reactions[reaction], scene, reaction)] if reacts else []
        if random() < REDDIT_SHARE:
            author = people.someone(random, self._redditors)
            return Draft("reddit", author, self._reddit(feeling.emotion, scene, book, after))
        author = people.someone(random, self._tweeters)
        return Draft("twitter", author, self._tweet(feeling.emotion, scene, book, after))

    def _tweet(self, emotion: Emotion, scene: Scene, book: Phrasebook, after: list[str]) -> str:
        random = self._random.random
        reply = random() < 0.22
        sentences = [self._sentence(self._replies[emotion], scene, emotion)] if reply else []
        if not reply or random() < 0.3:
            sentences.append(self._statement(book.statements[emotion], scene, emotion))
        text = self._typed(" ".join(sentences + after), emotion)
        if reply:
            text = f"@{people.someone(random, self._tweeters)} {text}"
        return _fitted(text, self._ornaments(emotion, scene, book))

    def _ornaments(self, emotion: Emotion, scene: Scene, book: Phrasebook) -> list[str]:
        """Emoji, hashtags and a link, in the order in which they would be left out."""
        random = self._random.random
        ornaments = []
        if random() < (0.12 if emotion == "neutral" else 0.45):
            ornaments.append(self._pick(phrases.EMOJI[emotion]) * (1 if random() < 0.7 else 2 + int(random() * 2)))
        if random() < 0.4:
            tag = (
                self._pick(book.hashtags)
                if random() < 0.7
                else "".join(filter(str.isalnum, scene.bound["brand"].title()))
            )
            ornaments.append(f"#{tag}")
            if random() < 0.35 and (second := self._pick(book.hashtags)) != tag:
                ornaments.append(f"#{second}")
        if random() < (0.25 if emotion == "neutral" else 0.08):
            ornaments.append("https://link.example/" + "".join(self._pick(_LINK) for _ in range(7)))
        return ornaments

    def _reddit(self, emotion: Emotion, scene: Scene, book: Phrasebook, after: list[str]) -> str:
        """One to four paragraphs; mostly a single one, as in a comment."""
        random = self._random.random
        statements = book.statements[emotion]
        first = int(random() * len(statements))
        # Any other than the first: nobody says the same thing twice in a post.
        second = (first + 1 + int(random() * (len(statements) - 1))) % len(statements)

        body = [self._statement((statements[first],), scene, emotion), *after]
        if random() < 0.6:
            body.insert(0 if random() < 0.6 else 1, self._sentence(self._stories, scene, "neutral"))
        paragraphs = [self._typed(" ".join(body), emotion)]
        scene.noun = self._pick(book.nouns)
        if random() < 0.15:
            paragraphs.insert(0, f"> {self._statement(book.statements['neutral'], scene, 'neutral')}")
        if random() < 0.4:
            paragraphs.append(self._typed(self._statement((statements[second],), scene, emotion), emotion))
        if random() < 0.35:
            paragraphs.append(self._sentence(self._closings, scene, "neutral"))
        return "\n\n".join(paragraphs)

    def _statement(self, statements: Sequence[Sentence], scene: Scene, emotion: Emotion) -> str:
        text = expand(self._pick(statements), scene)
        if self._random.random() < 0.35:
            text = expand(self._pick(self._openers[emotion]), scene) + text
        return self._said(text, emotion)

    def _sentence(self, sentences: Sequence[Sentence], scene: Scene, emotion: Emotion) -> str:
        return self._said(expand(self._pick(sentences), scene), emotion)

    def _said(self, text: str, emotion: Emotion) -> str:
        """As a sentence: a capital in front and a mark at its end."""
        text = noise.capitalise(text)
        if text[-1] in "?!.":
            return text
        draw = self._random.random()
        if emotion in _EXCITED and draw < 0.35:
            return text + ("!" if draw < 0.2 else "!!" if draw < 0.3 else "!!!")
        return text + ("..." if draw > 0.92 and emotion != "neutral" else ".")

    def _typed(self, text: str, emotion: Emotion) -> str:
        """With the habits of somebody who types in a hurry."""
        random = self._random.random
        if random() < 0.28:
            text = text.lower()
        if random() < 0.12:
            text = noise.drop_apostrophes(text)
        if random() < 0.07:
            text = noise.slip(text, random)
        if emotion != "neutral":
            if random() < 0.10:
                text = noise.stretch(text, random)
            if random() < 0.10:
                text = noise.stress(text)
            elif emotion in _EXCITED and random() < 0.03:
                text = text.upper()
        return text.rstrip(".") if random() < 0.3 else text

    def _pick(self, options: Sequence[T]) -> T:
        return options[int(self._random.random() * len(options))]


def _compiled(texts: Mapping[Emotion, Sequence[str]]) -> dict[Emotion, list[Sentence]]:
    return {emotion: [parse(text) for text in texts[emotion]] for emotion in EMOTIONS}


def _fitted(text: str, ornaments: list[str]) -> str:
    """The text with as many ornaments as fit, within the length of a tweet."""
    while ornaments and len(text) + sum(len(ornament) + 1 for ornament in ornaments) > MAX_TWEET_CHARS:
        ornaments.pop()
    return " ".join([text[:MAX_TWEET_CHARS], *ornaments])
