"""A cursor comes back as it went; nothing else is one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.cursor import MAX_ID, decode_cursor, encode_cursor
from services.api.web.errors import InvalidParameter


@given(st.integers(1, MAX_ID))
def test_it_comes_back(last_id: int) -> None:
    assert decode_cursor(encode_cursor(last_id)) == last_id


@given(st.text(max_size=64))
def test_any_text_is_a_cursor_of_ours_or_refused(text: str) -> None:
    try:
        assert encode_cursor(decode_cursor(text)) == text
    except InvalidParameter as error:
        assert "next_cursor" in str(error)


@pytest.mark.parametrize("number", [0, -1, MAX_ID + 1])
def test_an_id_that_no_post_can_have_is_refused(number: int) -> None:
    with pytest.raises(InvalidParameter):
        decode_cursor(encode_cursor(number))
