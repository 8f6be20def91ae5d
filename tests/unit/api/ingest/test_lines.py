"""A stream is cut at its line ends wherever its pieces end, and no line takes memory without end."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.api.ingest.body import Lines
from services.ingester.sources.files.lines import MAX_LINE_BYTES


@given(st.lists(st.binary(max_size=12)), st.data())
def test_the_lines_are_those_of_the_whole_wherever_it_is_cut(parts: list[bytes], data: st.DataObject) -> None:
    whole = b"\n".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)))))
    lines = Lines()
    found = [line for start, end in pairwise([0, *cuts, len(whole)]) for line in lines.add(whole[start:end])]
    assert found + lines.add(b"\n") == [line for line in whole.split(b"\n") if line.strip()]


def test_of_a_line_that_is_too_long_a_byte_more_than_may_be_is_kept_and_the_next_is_whole() -> None:
    lines = Lines()
    for _ in range(40):
        assert lines.add(b"x" * 65_536) == []
    assert [len(line) for line in lines.add(b"x\nnext\n")] == [MAX_LINE_BYTES + 1, 4]
