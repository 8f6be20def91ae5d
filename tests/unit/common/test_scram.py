"""A verifier says nothing of the password, and passwords that clients would send otherwise are refused."""

import pytest

from services.common.scram import verifier


def test_a_verifier_has_a_salt_of_its_own_and_no_password_in_it() -> None:
    first, second = verifier("swordfish"), verifier("swordfish")
    assert first != second
    assert first.startswith("SCRAM-SHA-256$4096:")
    assert "swordfish" not in first


@pytest.mark.parametrize("password", ["", "two words", "grün", "\u2168", "line\n", "del\x7f"])
def test_what_every_client_would_have_to_prepare_is_refused(password: str) -> None:
    with pytest.raises(ValueError, match="ASCII"):
        verifier(password)
