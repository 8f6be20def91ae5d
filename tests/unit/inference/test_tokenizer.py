"""The shipped tokenizers: what a post becomes."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from services.inference.tokenizer import PostTokenizer

REPOSITORY = Path(__file__).parents[3] / "model_repository"


@pytest.fixture(scope="module", params=["sentiment", "emotion"])
def file(request: pytest.FixtureRequest) -> Path:
    return REPOSITORY / str(request.param) / "1" / "tokenizer.json"


def words(file: Path, text: str) -> list[str]:
    return Tokenizer.from_file(str(file)).encode(text, add_special_tokens=False).tokens


def test_long_texts_are_cut_to_tokens_and_keep_their_end_token(file: Path) -> None:
    short, long = PostTokenizer(file.read_bytes(), 16).encode(["hello", "word " * 100])
    assert len(long) == 16
    assert long[0] == short[0]
    assert long[-1] == short[-1]


def test_a_batch_gives_each_text_what_it_gets_alone(file: Path) -> None:
    tokenizer = PostTokenizer(file.read_bytes(), 512)
    texts = ["a", "much longer text with :) and 😀", "@someone http://x.y #tag", "Ünïcödé"]
    assert tokenizer.encode(texts) == [tokenizer.encode([text])[0] for text in texts]


def test_mentions_and_links_are_anonymous(file: Path) -> None:
    assert words(file, "@ada_99 see https://example.org/a?b=c") == words(file, "@user see http")


def test_an_unknown_emoji_does_not_take_the_word_beside_it_along(file: Path) -> None:
    assert words(file, "great🫠") == ["great", "[UNK]"]


def test_skin_tones_do_not_hide_an_emoji(file: Path) -> None:
    assert words(file, "👍🏽") == words(file, "👍") != ["[UNK]"]
