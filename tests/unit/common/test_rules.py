"""What enters is what the rules let pass; of each post that they keep out they say why."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.messages import MAX_CONTENT_CHARS, Post
from services.common.rule_settings import MASKED, Masked, read_languages, read_masked
from services.common.rules import make_rules
from services.common.rules.duplicates import (
    MIN_NEAR_CHARS,
    NEAR,
    Duplicates,
    NearDuplicates,
    likeness,
    normalized,
    rows_of,
    simhash,
)
from services.common.rules.language import make_language_filter
from services.common.rules.masking import make_mask
from services.common.settings import Settings
from tests import hostile
from tests.unit.common.short_posts import POSTS

ALL: frozenset[Masked] = frozenset(MASKED)
LONG = "the ferry was late again and nobody told us anything until the evening came and we all went home"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def post(content: str, post_id: str = "p", author: str = "ada") -> Post:
    return Post(
        post_id=post_id, source="test", content=content, author=author, created_at=datetime(2026, 1, 1, tzinfo=UTC)
    )


def settings(**changes: object) -> Settings:
    return Settings.model_validate({"_env_file": None, **changes})


def test_by_default_every_post_passes_as_it_is() -> None:
    rules = make_rules(settings())
    for each in (post("x"), post("x", "q"), post("y" * MAX_CONTENT_CHARS), post("mail@example.org")):
        assert rules.judge(each) is each


@pytest.mark.parametrize(
    ("changes", "content", "reason"),
    [
        ({"rule_min_chars": 5}, "four", "too_short"),
        ({"rule_max_chars": 5}, "sixsix", "too_long"),
        ({"rule_languages": "en"}, POSTS["de"][0], "language"),
        ({"rule_duplicates": "exact"}, f"{LONG} https://t.co/2", "duplicate"),
        ({"rule_duplicates": "near"}, f"{LONG} lol", "near_duplicate"),
    ],
)
def test_a_rule_says_why_it_keeps_a_post_out_and_lets_others_pass(
    changes: dict[str, object], content: str, reason: str
) -> None:
    rules = make_rules(settings(**changes))
    good = post("hello" if reason == "too_long" else LONG, "first")
    assert rules.judge(good) is good
    assert rules.judge(post(content, "second")) == reason
    assert rules.judge(good) is good


@pytest.mark.parametrize("language", POSTS)
def test_of_short_posts_those_in_the_language_pass_and_nearly_no_others(language: str) -> None:
    passes = make_language_filter({language})
    assert all(map(passes, POSTS[language]))
    others = [text for other, texts in POSTS.items() if other != language for text in texts]
    assert sum(map(passes, others)) <= 2


@pytest.mark.parametrize("text", ["😂😂😂", "@sam", "https://example.org/a", "lol", "123"])
def test_what_has_no_language_passes(text: str) -> None:
    assert make_language_filter({"tr"})(text)


def test_capitals_links_and_line_breaks_change_no_language() -> None:
    passes = make_language_filter({"en"})
    assert passes(POSTS["en"][1].upper())
    assert passes(f"{POSTS['en'][1]}\n\nhttps://example.org/warum-dauert-das-immer-so-lange @jemand")


@pytest.mark.parametrize("text", hostile.TEXTS.values(), ids=hostile.TEXTS)
def test_any_text_goes_through_every_rule(text: str) -> None:
    changes = {"rule_languages": "en", "rule_duplicates": "near", "rule_mask": ",".join(MASKED)}
    assert isinstance(make_rules(settings(**changes)).judge(post(text)), Post | str)


def test_a_text_is_the_same_without_case_links_names_numbers_and_signs() -> None:
    one = "WOW!!! Look at this, @sam: https://t.co/a1 (only 3 left) 😂"
    assert normalized(one) == normalized("wow look at this @kim https://t.co/b2 -- only 15 left") != ""
    assert normalized("😂 https://t.co/a1") == ""


def test_a_duplicate_is_one_within_the_window_and_only_of_another_post() -> None:
    clock = Clock()
    duplicates = Duplicates(60, clock=clock)
    assert duplicates.is_new("a", "text")
    assert duplicates.is_new("a", "text")
    assert not duplicates.is_new("b", "text")
    clock.now = 60
    assert duplicates.is_new("b", "text")
    assert not duplicates.is_new("a", "text")


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30)), max_size=60))
def test_no_more_texts_are_remembered_than_may_be(texts: list[tuple[int, int]]) -> None:
    duplicates = Duplicates(1_000, max_texts=4)
    for number, text in texts:
        duplicates.is_new(str(number), str(text))
        assert len(duplicates._seen) <= 4


def test_a_text_that_shares_most_of_another_one_is_nearly_the_same_within_the_window() -> None:
    clock = Clock()
    near = NearDuplicates(60, clock=clock)
    changed = LONG.replace("evening", "morning")
    assert likeness(rows_of(LONG), rows_of(changed)) >= NEAR
    assert near.is_new("a", LONG)
    assert near.is_new("a", changed)
    assert not near.is_new("b", changed)
    assert near.is_new("c", "what a day it was, we walked along the river and had ice cream under the old bridge")
    clock.now = 60
    assert near.is_new("b", changed)


def test_near_duplicates_are_found_among_the_newest_texts_and_short_ones_are_left_alone() -> None:
    near = NearDuplicates(60, max_texts=2)
    texts = [" ".join([word] * 12) for word in ("coffee", "weather", "trainers")]
    assert all(near.is_new(text, text) for text in texts)
    assert near.is_new("again", texts[0])
    assert not near.is_new("again", texts[2])
    short = "x" * (MIN_NEAR_CHARS - 1)
    assert near.is_new("1", short)
    assert near.is_new("2", short)


def test_posts_that_say_something_else_are_no_near_duplicates() -> None:
    near = NearDuplicates(3_600)
    assert all(near.is_new(text, normalized(text)) for texts in POSTS.values() for text in texts)


@given(st.text(min_size=MIN_NEAR_CHARS, max_size=200))
def test_a_text_is_as_like_itself_as_can_be_whatever_is_in_it(text: str) -> None:
    rows = rows_of(text)
    assert likeness(rows, rows_of(text)) == 1
    assert simhash(rows) == simhash(rows_of(text))


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("ask @sam or @kim_2, not @a.b.", "ask @user or @user, not @user."),
        ("hi @ada@mastodon.social!", "hi @user!"),
        ("write to jo.doe+x@mail.example.org, please", "write to [email], please"),
        ("call +49 (0)30 1234-5678 now", "call [phone] now"),
        ("call 0049 30 12345678", "call [phone]"),
        ("030/1234567 oder 0171 234 56 78", "[phone] oder [phone]"),
        ("(415) 555-2671 or 415-555-2671", "[phone] or [phone]"),
        ("on 2026-11-26 17:30 we sold 1,000,000 at $3.99", "on 2026-11-26 17:30 we sold 1,000,000 at $3.99"),
        ("v1.2.3, 20261126, 12345678901 and 3-4", "v1.2.3, 20261126, 12345678901 and 3-4"),
        ("just @ home, a@b, 5 @ 3", "just @ home, a@b, 5 @ 3"),
    ],
)
def test_names_addresses_and_numbers_are_masked_and_nothing_else(text: str, masked: str) -> None:
    assert make_mask(ALL)(post(text)).content == masked


def test_what_is_not_named_stays() -> None:
    text = "@sam jo@example.org +49 30 1234567"
    assert make_mask({"emails"})(post(text)) == post("@sam [email] +49 30 1234567")
    assert make_mask({"authors"})(post(text)) == post(text, author="")


@given(st.text("@.a0+-( )/é\n", max_size=60))
def test_a_masked_post_stays_as_it_is_and_no_address_is_left_in_it(text: str) -> None:
    mask = make_mask(ALL)
    once = mask(post(f"x{text}"))
    assert mask(once) == once


@pytest.mark.parametrize("part", ["a", "@", "a@", "0", "+1", "a.", "0 ", "@a", "a@b.c "])
def test_the_longest_post_of_any_pattern_is_masked_and_stays_a_post(part: str) -> None:
    """Where a pattern tried every beginning to its end, this would take hours."""
    long = (part * MAX_CONTENT_CHARS)[:MAX_CONTENT_CHARS]
    assert len(make_mask(ALL)(post(long)).content) <= MAX_CONTENT_CHARS


def test_what_a_setting_cannot_mean_is_refused_with_what_it_may() -> None:
    assert read_languages(" en, DE ,") == {"en", "de"}
    assert read_masked("names, emails") == {"names", "emails"}
    with pytest.raises(ValueError, match="english: expected codes"):
        read_languages("english,de")
    with pytest.raises(ValueError, match="mails cannot be masked; known are names"):
        read_masked("mails")
    with pytest.raises(ValueError, match="no post would pass"):
        settings(rule_min_chars=10, rule_max_chars=5)
