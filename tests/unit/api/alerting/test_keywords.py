"""A keyword is found where a reader would say that the post has it, whatever its case, and nowhere inside of words."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.api.alerting.keywords import Keywords, words_of


def has(text: str, keyword: str) -> bool:
    return bool(Keywords({1: keyword}).find(text))


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("update", "The UPDATE, again!"),
        ("new update", "a New  update."),
        ("new update", "new-update"),
        ("well-known", "a well known fact"),
        ("don't", "I DON'T know"),
        ("don't", "I don\u2019t know"),
        ("#nhs", "Save the #NHS!"),
        ("#nhs", "Save the \uff03\uff2e\uff28\uff33"),
        ("nhs", "Save the #NHS!"),
        ("straße", "STRASSE"),
        ("café", "a cafe\u0301 nearby"),
        ("ﬁne", "FINE"),
        ("हिन्दी", "यह हिन्दी है"),
        ("привет мир", "ПРИВЕТ, МИР"),
        ("你好", "大家你好吗"),
        ("สวัสดี", "ไทยสวัสดีครับ"),
        ("👍", "well done 👍🏽👍🏽"),
        ("❤️", "we ❤ it"),
        ("2026", "in 2026"),
        ("snake_case", "a Snake_Case name"),
        ("a.b", "a b"),
    ],
)
def test_it_is_found(keyword: str, text: str) -> None:
    assert has(text, keyword)


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("date", "update dates"),
        ("new update", "update new"),
        ("new update", "a new big update"),
        ("new update", "renew updates"),
        ("#nhs", "the NHS"),
        ("#nhs", "#nhsworkers"),
        ("#nhs", "# nhs"),
        ("cafe", "café"),
        ("हिन", "हिन्दी"),
        ("好你", "你好"),
        ("👍", "👎"),
        ("don't", "donut"),
        ("update", ""),
    ],
)
def test_it_is_not_found(keyword: str, text: str) -> None:
    assert not has(text, keyword)


@pytest.mark.parametrize("text", ["", " ", "!?…", "#", "\u200b", "\ufe0f", "'"])
def test_a_keyword_without_words_is_told_from_others(text: str) -> None:
    assert words_of(text) == []


def test_many_keywords_are_found_at_once_each_by_its_key() -> None:
    found = Keywords({1: "update", 2: "new update", 3: "#update", 4: "other", 5: "Update"}).find("a new #update")
    assert sorted(found) == [1, 3, 5]


@given(st.text(min_size=1), st.text(), st.text())
@example("ŉ", "", "")
@example("İ", "", "")
@example("😀", "a", "b")
def test_a_text_has_every_keyword_that_it_was_made_of(keyword: str, before: str, after: str) -> None:
    """Alone, in another case, and between other words."""
    if words_of(keyword):
        assert has(keyword, keyword)
        assert has(f"{before} {keyword} {after}", keyword)


@given(st.text(), st.text(min_size=1))
def test_one_keyword_is_found_alone_exactly_if_it_is_among_many(text: str, keyword: str) -> None:
    if words_of(keyword):
        many = Keywords({0: "train", 1: keyword, 2: "#a", 3: "a b"})
        assert (1 in many.find(text)) == has(text, keyword)
