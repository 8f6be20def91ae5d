"""What nobody would send on purpose, and everybody sends some day: texts, bytes, times, numbers and documents.

One place for all tests and fuzzers, so that a new kind of trouble is tried everywhere at once.
"""

# Letters that look like others are part of the trouble.
# ruff: noqa: RUF001

import json
from collections.abc import Iterable

from hypothesis import strategies as st

# Valid, and as difficult as text can be. Each is stored, analysed and shown as it is.
TEXTS = {
    "nfc": "caf\u00e9",
    "nfd": "cafe\u0301",
    "combining marks upon combining marks": "Z" + "\u0301\u0316\u0489" * 300,
    "a mark that combines with nothing": "\u0301",
    "emoji of several people": "👩‍👩‍👧‍👦 👨🏿‍❤️‍💋‍👨🏻 🏳️‍🌈",
    "a flag, and half of one": "🇩🇪 🇩",
    "emoji of tags": "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "only an emoji": "😀",
    "text that runs to the left": "שלום \u202etfel ot thgir\u202c مرحبا",
    "marks of direction that are not closed": "\u202a\u202b\u202d\u202e\u2066\u2067\u2068 open",
    "zero widths between letters": "z\u200be\u200cr\u200do\ufeff \u2060width",
    "a byte order mark in front": "\ufeffhello",
    "no white space of ASCII": "one\u00a0two\u3000three\u2028four\u2029five\u0085six",
    "control characters": "bell\x07 escape\x1b[31m\x01\x1f\x7f\x9f",
    "line ends of every kind": "a\rb\nc\r\nd\x0be\x0cf\x1cg",
    "characters that no Unicode has assigned": "\U000e0080\U0003fffe\u0378",
    "what is no character": "\ufffe\uffff\U0010ffff\ufdd0",
    "private use": "\ue000\uf8ff\U000f0000",
    "the sign for what could not be read": "\ufffd\ufffd",
    "mathematical letters": "𝕳𝖊𝖑𝖑𝖔 ℍ𝕖𝕝𝕝𝕠",
    "letters that look alike": "раураl",
    "a letter that grows when its case changes": "ß ŉ İ ﬃ",
    "ideographs without spaces": "今天天气真好" * 50,
    "Hangul in parts": "\u1112\u1161\u11ab\u1100\u1173\u11af",
    "blank letters": "\u3164\u2800\uffa0",
    "one word of forty thousand letters": "a" * 40_000,
    "forty thousand characters beyond the first plane": "🫠" * 40_000,
    "forty thousand words": "a " * 20_000,
    "markup": "<script>alert(1)</script>&amp;<!--",
    "a statement": "'; DROP TABLE social_media_posts; --",
    "the patterns of LIKE": "100% _under_ \\back",
    "the tokens of models": "[CLS] [SEP] [PAD] [UNK] [MASK] <s> </s> <pad>",
    "names and links of thousands": "@a https://x.y/?z#w " * 2_000,
    "escapes": "\\u0000 \\ud800 %00 %s {} {0} ${HOME} $(id)",
    "JSON": '{"type": "alert", "posts": [1e400, NaN]}',
}
# Nothing of them is seen, so there is nothing to analyse.
BLANKS = {
    "white space": " \t\n\r\x0b\x0c",
    "white space of other scripts": "\u00a0\u1680\u2003\u2028\u2029\u202f\u205f\u3000\u0085",
    "zero widths": "\u200b\u200c\u200d\u2060\ufeff",
    "marks of direction": "\u200e\u200f\u202a\u202e\u2066\u2069",
    "soft hyphens": "\u00ad",
    "control characters": "\x01\x08\x1b\x1f\x7f\x80\x9f",
    "tags": "\U000e0001\U000e0041\U000e007f",
}
# Each is no time, or none that we can hold.
NO_TIMES = (
    "0001-01-01T00:00:00Z",
    "0001-01-01T05:00:00+05:00",
    "9999-12-31T23:59:59.999999Z",
    "0000-01-01T00:00:00Z",
    "-0001-01-01T00:00:00Z",
    "10000-01-01T00:00:00Z",
    "+12026-01-01T00:00:00Z",
    "9999-12-31T23:59:59-00:01",
    "0001-01-01T00:00:00+00:01",
    "2026-01-01T23:59:60Z",
    "2026-01-01T24:00:01Z",
    "2026-01-01T25:00:00Z",
    "2026-02-30T00:00:00Z",
    "2026-01-01T00:00:00+24:00",
    "2026-01-01T00:00:00-99:99",
    "2026-01-01T00:00:00+1",
    "2026-01-01T00:00:00 Europe/Berlin",
    "1e400",
    "NaN",
    "Infinity",
    "1767225600",
    "1767225600.5",
    "yesterday",
    "Thu, 01 Jan 2026 00:00:00 GMT",
    "٢٠٢٦-٠١-٠١",
    " 2026-01-01",
    "2026-01-01T",
    "2026-01",
    "2026-01-01T00:00:00Z" * 1_000,
    "\u200b",
)
# As far from each other as times can be.
EXTREME_TIMES = (
    "0001-01-01T00:00:00.000001Z",
    "1582-10-10T00:00:00Z",
    "1969-12-31T23:59:59.999999Z",
    "2000-02-29T00:00:00+14:00",
    "2026-03-29T02:30:00+01:00",
    "2026-01-01T00:00:00+23:59",
    "2026-01-01T00:00:00-23:59",
    "2038-01-19T03:14:08Z",
    "9999-12-31T23:59:59.999998Z",
)
NUMBERS = (
    "0",
    "-0",
    "-1",
    "1.5",
    "1e3",
    "1e400",
    "-1e400",
    "5e-324",
    "NaN",
    "Infinity",
    str(2**31),
    str(2**63),
    "9" * 400,
)

_ALPHABETS = (
    st.characters(exclude_categories=["Cs"]),
    st.characters(categories=["Cc", "Cf", "Zs", "Zl", "Zp"]),
    st.characters(categories=["Mn", "Mc", "Me"]),
    st.characters(categories=["Co", "Cn"]),
    st.characters(min_codepoint=0x10000),
    st.sampled_from("\x00\ufeff\u202e\u200b\u200d\ufe0f\u00a0\ud7ff\ue000\"'\\,;{}[]:%_\r\n\t0é"),
)


def _named(name: str) -> str:
    return TEXTS[name]


def texts(max_size: int = 200) -> st.SearchStrategy[str]:
    """Any text that UTF-8 can spell, NUL included."""
    pieces = st.one_of(
        *(st.text(alphabet, max_size=20) for alphabet in _ALPHABETS),
        st.sampled_from(sorted(TEXTS)).map(_named),
    )
    return st.lists(pieces, max_size=6).map("".join).map(lambda text: text[:max_size])


def storable_texts(max_size: int = 200) -> st.SearchStrategy[str]:
    """The same without NUL, and with something to see."""
    return st.builds(
        lambda text, seen, at: text[:at] + seen + text[at:],
        texts(max_size - 1).map(lambda text: text.replace("\x00", "")),
        st.sampled_from("aé今😀\u0301\ue000"),
        st.integers(0, max_size),
    )


def blank_texts() -> st.SearchStrategy[str]:
    return st.text("".join(BLANKS.values()), max_size=30)


def raw_texts() -> st.SearchStrategy[bytes]:
    """Bytes where a text is expected: most are UTF-8, some nearly."""
    broken = st.sampled_from(
        [
            b"\xff",
            b"\xc3",
            b"\xed\xa0\x80",  # half of a pair of surrogates
            b"\xed\xb0\x80\xed\xa0\x80",
            b"\xc0\x80",  # NUL, overlong
            b"\xf4\x90\x80\x80",  # beyond the last plane
            b"\xef\xbb\xbf",
            b"\xff\xfeh\x00i\x00",  # UTF-16
            b"\x00",
            b"\x1f\x8b\x08",
        ]
    )
    return st.lists(st.one_of(texts().map(str.encode), broken, st.binary(max_size=20)), max_size=4).map(b"".join)


def times() -> st.SearchStrategy[str]:
    """Times, and what looks like one."""
    usual = st.builds(
        "{}-{:02}-{:02}{}{:02}:{:02}:{:02}{}{}".format,
        st.sampled_from(["0000", "0001", "1969", "2026", "9999", "10000", "-001", "26"]),
        st.integers(0, 13),
        st.integers(0, 32),
        st.sampled_from(["T", " ", "\x00", "t", "\ud7ff", ""]),
        st.integers(0, 25),
        st.integers(0, 61),
        st.integers(0, 61),
        st.sampled_from(["", ".5", ",5", ".123456789", "."]),
        st.sampled_from(["", "Z", "z", "+00:00", "-00:01", "+23:59:59.999999", "+24:00", "-99:00", " Z", "+5"]),
    )
    return st.one_of(st.sampled_from([*EXTREME_TIMES, *NO_TIMES]), usual, st.datetimes().map(str), texts(40))


def documents() -> st.SearchStrategy[object]:
    """Values of JSON, with texts and numbers that hardly anybody expects; some are nested a little."""
    plain = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts(30))
    return st.recursive(plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts(8), inner, max_size=3))


def nearly(document: dict[str, object]) -> st.SearchStrategy[str]:
    """The document as JSON with some of its values replaced, left out, or given twice."""
    changes = st.dictionaries(st.sampled_from([*document, "colour"]), documents(), max_size=3)
    left_out = st.sets(st.sampled_from([*document]), max_size=1)
    return st.builds(lambda new, gone: _spelled(document, new, gone), changes, left_out)


def _spelled(document: dict[str, object], new: dict[str, object], gone: Iterable[str]) -> str:
    """Both the old and the new value of what is changed at the end: JSON does not forbid it."""
    members = [(name, value) for name, value in document.items() if name not in gone] + [*new.items()]
    return "{" + ", ".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in members) + "}"


def deep(levels: int, within: str = "") -> bytes:
    """A document of JSON that whoever follows it by recursion may fall from; `within`: the name that has it."""
    nested = b"[" * levels + b"]" * levels
    return b"{" + json.dumps(within).encode() + b":" + nested + b"}" if within else nested
