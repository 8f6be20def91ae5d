"""Which emotions an aggregate names."""

from collections import Counter

from services.api.queries.emotions import NAMED_EMOTIONS, named


def test_the_most_frequent_are_named_and_the_rest_is_others() -> None:
    posts = Counter({f"e{number:02}": number for number in range(1, NAMED_EMOTIONS + 2)})
    assert named(posts) == [*(f"e{number:02}" for number in range(NAMED_EMOTIONS + 1, 1, -1)), "other"]


def test_without_more_there_is_no_other_and_no_emotion_is_none_of_them() -> None:
    assert named(Counter({"": 9, "joy": 1, "anger": 1})) == ["anger", "joy"]


def test_a_model_s_own_other_is_part_of_the_others() -> None:
    assert named(Counter({"other": 9, "joy": 1})) == ["joy", "other"]
