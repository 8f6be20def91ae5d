"""Our own posts, the user's, and texts made to a length."""

import gzip
from pathlib import Path

import pytest

from export.errors import ExportError
from export.evidence.encoding import Encoder
from export.evidence.sample_posts import many, of_length, read_posts
from export.gates.parity import QUANTIZED_TEXTS
from export.version_folder import TOKENIZER
from tests.version_folders import tokenizer


@pytest.fixture
def encoder(tmp_path: Path) -> Encoder:
    tokenizer().save(str(tmp_path / TOKENIZER))
    return Encoder(tmp_path / TOKENIZER, 512)


def test_our_own_posts_are_many_and_different() -> None:
    posts = read_posts()
    assert len(posts) >= 80
    assert len(set(posts)) == len(posts)
    assert min(map(len, posts)) < 5
    assert max(map(len, posts)) > 400


def test_short_texts_are_as_many_as_labels_are_compared_on() -> None:
    texts = many(read_posts(), QUANTIZED_TEXTS)
    assert len(set(texts)) == len(texts) == QUANTIZED_TEXTS


def test_one_post_gives_what_it_can() -> None:
    assert many(["One. Two."], 100) == ["One. Two.", "One.", "Two.", "Two. One."]


@pytest.mark.parametrize("tokens", [3, 4, 16, 100, 512])
def test_texts_are_made_to_a_length(encoder: Encoder, tokens: int) -> None:
    posts = read_posts()
    texts = [of_length(posts, encoder, tokens, start) for start in range(20)]
    counts = [encoder.count(text) for text in texts]
    assert texts == [of_length(posts, encoder, tokens, start) for start in range(20)]
    # A word may be several tokens with its punctuation, and one is left in any case.
    assert all(tokens - 12 <= count <= max(tokens, 8) for count in counts), counts
    assert tokens in counts


def test_a_tokenizer_that_drops_everything_ends_all_the_same(encoder: Encoder) -> None:
    assert of_length([" "], encoder, 16) == ""


def test_files_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("first\n\n  second \u2028 half\n", encoding="utf-8")
    assert read_posts(tmp_path / "a.txt") == ["first", "second \u2028 half"]
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b'{"text": "a\\nb"}\n{"content": "c", "id": 1}\n'))
    assert read_posts(tmp_path / "a.jsonl.gz") == ["a\nb", "c"]


@pytest.mark.parametrize("line", ['{"body": "x"}', '"x"', "{", '{"text": 3}', '{"text": ""}'])
def test_a_line_that_is_no_post_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "x"}\n' + line)
    with pytest.raises(ExportError, match="line 2: expected a JSON object"):
        read_posts(tmp_path / "a.jsonl")


def test_nothing_in_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n \n")
    with pytest.raises(ExportError, match="no text in it"):
        read_posts(tmp_path / "a.txt")
