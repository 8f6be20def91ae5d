"""API_KEYS: what is understood, and that no complaint shows what is secret."""

import hmac
import re

import pytest

from services.common.api_keys import KEY, MAX_KEYS, digest_of, find_key, make_key, new_key, read_api_keys
from services.common.errors import ConfigurationError
from services.common.settings import Settings, read_settings

TEXT = new_key()
DIGEST = digest_of(TEXT).hex()


def test_a_new_key_is_one_that_nobody_has_and_that_a_header_and_a_cookie_can_hold() -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(KEY.fullmatch(key) and re.fullmatch(r"[A-Za-z0-9_-]+", key) for key in keys)


def test_an_entry_is_read_as_it_was_printed() -> None:
    made = make_key("dashboard-2", ["admin", "read"], TEXT)
    assert made.entry == f"dashboard-2=read+admin:{DIGEST}"
    other = make_key("feeder", ["ingest"], new_key())
    assert read_api_keys(f" {made.entry} , {other.entry},") == (made, other)
    assert read_api_keys("") == ()


def test_a_key_is_found_by_its_text_alone() -> None:
    keys = [make_key(f"k{number}", ["read"], new_key()) for number in range(3)] + [make_key("mine", ["read"], TEXT)]
    found = find_key(keys, TEXT)
    assert found is not None
    assert found.name == "mine"
    for text in (new_key(), TEXT[:-1], TEXT + "A", f" {TEXT}", DIGEST, "", "ut_" + "é" * 43, "\ud800"):
        assert find_key(keys, text) is None


def test_a_key_is_compared_with_all_in_constant_time_wherever_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []

    def compare(kept: bytes, sent: bytes) -> bool:
        compared.append(kept)
        return kept == sent

    monkeypatch.setattr(hmac, "compare_digest", compare)
    keys = [make_key(name, ["read"], text) for name, text in (("mine", TEXT), ("b", new_key()), ("c", new_key()))]
    for text in (TEXT, new_key()):
        compared.clear()
        find_key(keys, text)
        assert compared == [key.digest for key in keys]


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("dashboard", "entry 1: expected name=scope+scope:sha256"),
        (f"Dashboard=read:{DIGEST}", "entry 1: expected name=scope+scope:sha256"),
        (f"=read:{DIGEST}", "entry 1: expected name=scope+scope:sha256"),
        (f"a=read:{TEXT}", "entry 1: has the key of a itself"),
        ("a=read:abc", "entry 1: expected the SHA-256 of the key of a, 64 hexadecimal digits"),
        (f"a=write:{DIGEST}", "entry 1: scopes are read, ingest, admin"),
        (f"a=read+read:{DIGEST}", "entry 1: scopes are read, ingest, admin"),
        (f"a=:{DIGEST}", "entry 1: scopes are read, ingest, admin"),
        (f"a=read:{DIGEST},a=admin:{'0' * 64}", "entry 2: there is a key a before it"),
        (f"a=read:{DIGEST},b=admin:{DIGEST.upper()}", "entry 2: the key of b has another name before it"),
        (",".join(f"k{n}=read:{n:064}" for n in range(MAX_KEYS + 1)), "101 keys are more than 100"),
    ],
)
def test_what_is_not_usable_is_told_at_the_start_without_showing_it(
    setting: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEYS", setting)
    with pytest.raises(ConfigurationError) as stop:
        read_settings()
    assert f"API_KEYS: {told}" in str(stop.value)
    for secret in (TEXT, DIGEST, DIGEST.upper(), "got"):
        assert secret not in str(stop.value)


def test_neither_keys_nor_digests_are_shown_with_the_settings() -> None:
    settings = Settings(_env_file=None, api_keys=f"a=read:{DIGEST}")
    assert [key.name for key in settings.known_keys] == ["a"]
    assert DIGEST not in repr(settings)
