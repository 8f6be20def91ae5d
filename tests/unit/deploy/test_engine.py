"""Where no Docker answers: what is said, and that what an engine writes to the packet filter can be taken back."""

import os
from pathlib import Path

import pytest

from tests.compose import __main__, engine


@pytest.mark.parametrize(("arguments", "status"), [([], 2), (["--engine-optional"], 0)])
def test_where_no_engine_is_to_be_had_it_says_so_and_fails_unless_that_is_allowed(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: list[str],
    status: int,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1_000)
    assert __main__.main(arguments) == status
    told = capsys.readouterr().err
    assert "no Docker engine" in told
    assert ("NOT TESTED" in told) is (status == 0)


def test_rules_are_restored_whole_also_where_there_were_none() -> None:
    nat = "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -j RETURN\nCOMMIT\n"
    whole = engine._whole(nat)
    assert whole.startswith(nat)
    assert whole.count("*nat\n") == whole.count("*filter\n") == 1
    assert engine._whole(whole) == whole


def test_every_image_of_the_tests_has_a_stand_in() -> None:
    stages = (engine.ROOT / "tests/compose/stand_ins/Dockerfile").read_text()
    for target in engine.STAND_INS.values():
        assert f" AS {target}\n" in stages
