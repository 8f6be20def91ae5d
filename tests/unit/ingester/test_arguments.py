"""A command line that cannot be meant is told before anything is begun."""

import pytest

from services.common.errors import ConfigurationError
from services.common.settings import Settings
from services.ingester.__main__ import open_sources
from services.ingester.arguments import parse, rates


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--source", "bluesky", "--source", "bluesky"], "named once"),
        (["--source", "bluesky", "--language", "english"], "code as en"),
        (["--source", "simulate", "--rate", "bluesky=5"], "no --source bluesky"),
        (["--source", "simulate", "--rate", "fast"], "expected a number"),
        (["--source", "simulate", "--rate", "nan"], "more than 0"),
        (["--source", "mars"], "known are"),
        (["--source", "replay"], "--file"),
    ],
)
def test_what_cannot_be_meant(arguments: list[str], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        open_sources(parse(arguments), Settings(_env_file=None))


def test_a_rate_of_its_own_goes_before_that_of_all() -> None:
    assert rates(["60", "bluesky=600"], ["bluesky", "simulate"]) == {"bluesky": 600.0, "simulate": 60.0}
    assert rates(["bluesky=600"], ["bluesky", "simulate"]) == {"bluesky": 600.0, "simulate": None}
