"""Which words a text has, and which of them rise."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.words.rising import MIN_SCORE, Rise, Sampled, count, rising, z_score
from services.api.words.stop_words import STOP_WORDS
from services.api.words.tokens import MAX_CHARS, words_of
from tests import hostile


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The Trains are LATE, late again!", {"trains", "late"}),
        ("#Election2026 and election2026", {"#election2026", "election2026"}),
        ("see https://a.example/x?trains=1 or www.b.example", {"see"}),
        ("@someone @user@host.example me@mail.example u/someone hello", {"hello"}),
        ("Tom &amp; Jerry &lt;3", {"tom", "jerry"}),
        ("2026 100% 5g #1 #2026 #__", {"5g"}),
        ("Stra\u00dfe STRASSE don\u2019t can\u2019t o\u2019clock", {"strasse", "o'clock"}),
        ("\uff26\uff32\uff25\uff25 \U0001d5d9\U0001d5e5\U0001d5d8\U0001d5d8", {"free"}),
        ("caf\u00e9 cafe\u0301", {"caf\u00e9"}),
        ("выборы и ВЫБОРЫ", {"выборы"}),
        ("हिन्दी में", {"हिन्दी", "में"}),
        ("الانتخابات اليوم", {"الانتخابات", "اليوم"}),
        ("선거 결과", {"선거", "결과"}),
        ("大统领选举", {"大统", "统领", "领选", "选举"}),
        ("東京でラーメンを食べた", {"東京", "ラーメン"}),
        ("😂😂 !!! ___ a", set()),
        ("x" * (MAX_CHARS + 1), set()),
    ],
)
def test_words_of_a_text(text: str, words: set[str]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize("text", hostile.TEXTS.values())
def test_difficult_texts_have_words_of_a_sane_length(text: str) -> None:
    assert all(2 <= len(word) <= MAX_CHARS + 1 for word in words_of(text))


@given(st.text())
def test_no_text_is_an_error_and_words_are_folded(text: str) -> None:
    for word in words_of(text):
        assert word not in STOP_WORDS
        assert any(char.isalpha() for char in word)


def test_a_long_run_without_an_at_sign_is_read_once() -> None:
    """Looking for an address at every letter of it would be a second of work for each post."""
    assert words_of("a.b-" * 100_000) == set()


VOCABULARY = [f"{first}{second}{third}" for first in "bdfgk" for second in "aeiou" for third in "lmnrst"]


def posts(
    count: int, seed: int, extra: dict[str, int], author: str | None = None, label: str = "neutral"
) -> list[Sampled]:
    """Posts of everyday words by as many authors; `extra`: words in so many of the first of them."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        words = chance.choices(VOCABULARY, [1 / rank for rank in range(1, len(VOCABULARY) + 1)], k=8)
        words += [word for word, posts in extra.items() if number < posts]
        made.append(Sampled("s", author or f"author{number}", " ".join(words), label))
    return made


def rises(current: list[Sampled], previous: list[Sampled]) -> dict[str, Rise]:
    found, _, _ = rising(current, previous, 100)
    assert [rise.score for rise in found] == sorted((rise.score for rise in found), reverse=True)
    return {rise.word: rise for rise in found}


def test_a_planted_word_rises_first_and_a_steady_one_does_not() -> None:
    now = posts(500, 1, {"election": 60, "steady": 100, "#vote": 30})
    before = posts(500, 2, {"election": 10, "steady": 100})
    found = rises(now, before)
    assert list(found)[:2] == ["#vote", "election"] or list(found)[:2] == ["election", "#vote"]
    assert "steady" not in found
    assert (found["election"].posts, found["election"].posts_before) == (60, 10)
    assert found["#vote"].posts_before == 0


def test_a_word_that_falls_does_not_rise() -> None:
    assert "election" not in rises(posts(500, 1, {"election": 10}), posts(500, 2, {"election": 60}))


def test_more_posts_alone_make_no_word_rise() -> None:
    """Three times the posts have every word three times as often."""
    assert "steady" not in rises(posts(900, 1, {"steady": 90}), posts(300, 2, {"steady": 30}))


def test_few_posts_are_not_enough() -> None:
    assert "rumour" not in rises(posts(500, 1, {"rumour": 4}), posts(500, 2, {}))


def test_one_author_makes_no_trend() -> None:
    """Hundreds of posts of one author are one, however many of the window they are; unknown authors are many."""
    spam = posts(200, 3, {"winmoney": 200, "#winmoney": 200}, author="spammer")
    found = rises(posts(300, 1, {}) + spam, posts(500, 2, {}))
    assert not {"winmoney", "#winmoney"} & set(found)
    assert count(spam).words["winmoney"] == 1
    unknown = [Sampled(post.source, "", post.content, post.label) for post in spam]
    assert count(unknown).words["winmoney"] == 200
    elsewhere = [Sampled(f"s{number}", post.author, post.content, post.label) for number, post in enumerate(spam)]
    assert count(elsewhere).words["winmoney"] == 200


def test_a_word_counts_once_a_post() -> None:
    assert count([Sampled("s", "a", "late late late", "negative")]).words["late"] == 1


def test_sentiments_are_those_of_the_posts_that_count() -> None:
    now = posts(300, 1, {"strike": 40}, label="negative") + [
        Sampled("s", f"other{number}", "strike", "positive") for number in range(10)
    ]
    assert rises(now, posts(300, 2, {}))["strike"].labels == {"negative": 40, "positive": 10}


def test_nothing_rises_where_there_is_nothing_to_compare_with() -> None:
    assert rises(posts(300, 1, {"election": 60}), []) == {}
    assert rises([], posts(300, 1, {})) == {}
    assert rises([], []) == {}


def test_chance_alone_seldom_makes_a_word_rise() -> None:
    """Of two samples of the same, one word in fifty at most has the least score, taken over ten pairs."""
    tried = found = 0
    for seed in range(10):
        now, before = posts(300, 2 * seed, {}), posts(300, 2 * seed + 1, {})
        tried += len(count(now).words)
        found += len(rises(now, before))
    assert found / tried < 0.02


def test_the_score_grows_with_the_evidence() -> None:
    scores = [z_score((2 * n, 10_000), (n, 10_000), (0.25 * 1.5 * n, 2_500)) for n in (5, 50, 500)]
    assert scores == sorted(scores)
    assert scores[0] < MIN_SCORE < scores[1]
    assert z_score((50, 10_000), (50, 10_000), (12.5, 2_500)) == pytest.approx(0)
