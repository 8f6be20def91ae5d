"""The simulated feed is varied, repeatable and valid; feelings are told apart by their words, and moods drift."""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import aclosing
from random import Random
from time import process_time

import pytest

from services.common.messages import Post, make_post
from services.ingester.sources.base import MAX_BATCH_POSTS
from services.ingester.sources.pace import Pace
from services.ingester.sources.simulate import SimulateSource
from services.ingester.sources.simulation import noise, phrases
from services.ingester.sources.simulation.feed import Feed
from services.ingester.sources.simulation.grammar import AGREEMENT, Scene, expand, noun_forms, parse, rule, slots
from services.ingester.sources.simulation.mood import Climate
from services.ingester.sources.simulation.topic import EMOTIONS, SENTIMENTS, Emotion
from services.ingester.sources.simulation.topics import TOPICS
from services.ingester.sources.simulation.writer import MAX_TWEET_CHARS, Draft, Writer

WORD = re.compile(r"[a-z']+")


@pytest.fixture(scope="module")
def drafts() -> list[Draft]:
    feed = Feed(seed=1, per_minute=6_000.0)
    return [feed.next() for _ in range(10_000)]


async def posts_of(source: SimulateSource, count: int) -> list[Post]:
    posts: list[Post] = []
    async with aclosing(source.batches()) as batches:
        async for batch in batches:
            assert 1 <= len(batch.items) <= MAX_BATCH_POSTS
            posts.extend(item for item in batch.items if isinstance(item, Post))
            if len(posts) >= count:
                break
    return posts[:count]


def unpaced(seed: int | None) -> SimulateSource:
    return SimulateSource(60.0, seed, pace=Pace(None))


def test_no_two_posts_look_alike(drafts: list[Draft]) -> None:
    assert len({draft.content for draft in drafts}) >= 0.995 * len(drafts)
    words_only = {" ".join(WORD.findall(draft.content.lower())) for draft in drafts}
    assert len(words_only) >= 0.96 * len(drafts)


def test_no_template_dominates(drafts: list[Draft]) -> None:
    seen: Counter[str] = Counter()
    for draft in drafts:
        words = WORD.findall(draft.content.lower())
        seen.update({" ".join(words[i : i + 4]) for i in range(len(words) - 3)})
    assert seen.most_common(1)[0][1] <= 0.03 * len(drafts)


def test_tweets_draw_on_the_whole_vocabulary(drafts: list[Draft]) -> None:
    tweets = "\n".join(draft.content.lower() for draft in drafts if draft.source == "twitter")
    clauses = [parse(text) for topic in TOPICS for texts in topic.clauses.values() for text in texts]
    longest = [max((part for part in clause if isinstance(part, str)), key=len) for clause in clauses]
    assert sum(text.lower() in tweets for text in longest) > 0.85 * len(clauses)


def test_both_sources_and_many_authors_write(drafts: list[Draft]) -> None:
    sources = Counter(draft.source for draft in drafts)
    assert sources.keys() == {"twitter", "reddit"}
    assert min(sources.values()) > 2_000
    authors = Counter(draft.author for draft in drafts)
    assert len(authors) > 2_000
    busiest = sum(count for _, count in authors.most_common(len(authors) // 10))
    assert busiest > 0.3 * len(drafts), "some people post far more often than others"


def test_posts_have_the_features_of_their_platforms(drafts: list[Draft]) -> None:
    tweets = [draft.content for draft in drafts if draft.source == "twitter"]
    comments = [draft.content for draft in drafts if draft.source == "reddit"]
    assert max(map(len, tweets)) <= MAX_TWEET_CHARS
    for pattern in ("#[A-Za-z]", "^@[a-z]", "https://", r"\?", "!!", r"^[a-z ,.'?!]+$", r"[😀-🙏🤀-🧿]", r"(.)\1\1"):
        assert 50 < sum(bool(re.search(pattern, text)) for text in tweets) < len(tweets) - 50, pattern
    assert sum("\n\n" in text for text in comments) > 0.3 * len(comments)
    assert sum(len(text) > 200 for text in comments) > 100
    assert sum(len(text) < 60 for text in tweets) > 500


async def test_every_post_is_valid_and_has_an_id_of_its_own() -> None:
    posts = await posts_of(unpaced(3), 5_000) + await posts_of(unpaced(3), 5_000)
    assert len({post.post_id for post in posts}) == 10_000
    for post in posts:
        fields = {name: getattr(post, name) for name in ("post_id", "source", "content", "author")}
        assert make_post(**fields, created_at=post.created_at.isoformat()) == post
        assert post.content == post.content.strip()
        assert "{" not in post.content
        assert "  " not in post.content


async def test_the_same_seed_gives_the_same_posts_and_another_seed_others() -> None:
    def texts(posts: list[Post]) -> list[tuple[str, str, str]]:
        return [(post.source, post.author, post.content) for post in posts]

    first = texts(await posts_of(unpaced(5), 2_000))
    assert texts(await posts_of(unpaced(5), 2_000)) == first
    assert len(set(texts(await posts_of(unpaced(6), 2_000))) & set(first)) < 20
    assert texts(await posts_of(unpaced(None), 50)) != texts(await posts_of(unpaced(None), 50))


def test_emotions_and_sentiments_are_told_apart_by_their_words() -> None:
    random = Random(11)
    climate, writer = Climate(TOPICS, random), Writer(TOPICS, random)
    examples = []
    for _ in range(8_000):
        feeling = climate.draw()
        text = writer.write(feeling).content.lower()
        examples.append((feeling.emotion, set(WORD.findall(text))))
    emotion_of = _naive_bayes(examples[:6_000])
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for emotion, words in examples[6_000:]:
        total[emotion] += 1
        right[emotion] += emotion_of(words) == emotion
    assert {emotion for emotion in EMOTIONS if right[emotion] > 0.75 * total[emotion]} == set(EMOTIONS)


def _naive_bayes(examples: Sequence[tuple[Emotion, set[str]]]) -> Callable[[set[str]], Emotion]:
    totals = Counter(emotion for emotion, _ in examples)
    by_word: dict[str, Counter[str]] = {}
    for emotion, words in examples:
        for word in words:
            by_word.setdefault(word, Counter())[emotion] += 1

    def emotion_of(words: set[str]) -> Emotion:
        def score(emotion: Emotion) -> float:
            shares = ((by_word[word][emotion] + 0.2) / (totals[emotion] + 1.4) for word in words if word in by_word)
            return math.log(totals[emotion]) + sum(map(math.log, shares))

        return max(EMOTIONS, key=score)

    return emotion_of


def test_the_mix_at_rest_is_as_documented() -> None:
    """At rest: before anything has happened, over many worlds."""
    counts: Counter[str] = Counter()
    for seed in range(400):
        climate = Climate(TOPICS, Random(seed))
        counts.update(climate.draw().sentiment for _ in range(50))
    shares = {sentiment: counts[sentiment] / counts.total() for sentiment in SENTIMENTS}
    assert shares == pytest.approx({"negative": 0.25, "neutral": 0.45, "positive": 0.30}, abs=0.04)


def test_moods_drift_and_sometimes_an_alert_would_fire() -> None:
    """Windows of five minutes at a post a second: their negative shares differ far more than by chance."""
    shares = []
    for seed in range(20):
        climate = Climate(TOPICS, Random(seed))
        for window in range(12):
            negative = 0
            for second in range(300):
                climate.advance(window * 300.0 + second)
                negative += climate.draw().sentiment == "negative"
            shares.append(negative / 300)
    mean = sum(shares) / len(shares)
    spread = math.sqrt(sum((share - mean) ** 2 for share in shares) / len(shares))
    by_chance = math.sqrt(mean * (1 - mean) / 300)
    assert spread > 2.5 * by_chance
    assert 0.02 < sum(share > 0.5 for share in shares) / len(shares) < 0.25


def test_an_event_sways_its_topic_towards_its_emotion() -> None:
    climate = Climate(TOPICS, Random(4))
    seen: Counter[str] = Counter()
    feelings: dict[str, Counter[str]] = {}
    for second in range(4 * 3_600):
        climate.advance(float(second))
        feeling = climate.draw()
        if feeling.event:
            seen[feeling.event.emotion] += 1
            feelings.setdefault(feeling.event.emotion, Counter())[feeling.emotion] += 1
    assert len(seen) >= 3
    for emotion, counts in feelings.items():
        if emotion not in ("surprise", "neutral") and counts.total() > 200:
            assert counts.most_common(1)[0][0] == emotion


def test_every_template_refers_to_known_words_only() -> None:
    shared = [*phrases.COMMON.values()]
    spoken = [
        texts
        for part in (phrases.OPENERS, phrases.REACTIONS, phrases.REVIEWS, phrases.REPLIES)
        for texts in part.values()
    ]
    for topic in TOPICS:
        known = AGREEMENT | {"brand"} | phrases.COMMON.keys() | topic.rules.keys()
        own = [*topic.clauses.values(), *topic.rules.values()]
        for texts in [*shared, *spoken, *own, phrases.STORIES, phrases.CLOSINGS]:
            for text in texts:
                assert set(slots(parse(text))) <= known, text
        assert set(topic.clauses) == set(EMOTIONS)
        assert min(map(len, topic.clauses.values())) >= 3


@pytest.mark.parametrize(
    ("noun", "expected"),
    [("update", "an update crashes, it is bad"), ("speakers+", "a speakers crash, they are bad")],
)
def test_verbs_and_articles_agree_with_their_noun(noun: str, expected: str) -> None:
    scene = Scene(Random(1).random, {}, {}, noun_forms(noun))
    assert expand(parse("{a thing} crash{es}, {it} {is} bad"), scene) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("unit", "a unit"),
        ("unusual day", "an unusual day"),
        ("hour", "an hour"),
        ("eight", "an eight"),
        ("18", "an 18"),
    ],
)
def test_articles_follow_the_sound(word: str, expected: str) -> None:
    scene = Scene(Random(1).random, {"word": rule([word])}, {}, {})
    assert expand(parse("{a word}"), scene) == expected


@pytest.mark.parametrize("text", ["<a|b", "[a", "a]", "{brand", "a|b", "<a]"])
def test_a_template_with_unmatched_brackets_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="template"):
        parse(text)


def test_slips_change_one_word_by_a_letter() -> None:
    random = Random(2)
    for _ in range(200):
        slipped = noise.slip("the umbrella", random.random)
        assert slipped.startswith("the u")
        assert abs(len(slipped) - len("the umbrella")) <= 1


def test_writing_is_fast_enough_for_a_load_test() -> None:
    """The bound is a fraction of what one core writes, so that a busy machine passes as well."""
    feed = Feed(seed=1, per_minute=6_000_000.0)
    feed.next()
    before_s = process_time()
    for _ in range(5_000):
        feed.next()
    assert 5_000 / (process_time() - before_s) > 10_000
