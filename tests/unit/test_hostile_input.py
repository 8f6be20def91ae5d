"""Every decoder holds its property for input that nobody would write: in little here, for long under `make fuzz`."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.fuzz.catalogue import all_targets

# Enough to see that a property holds at all: looking for rare input is what `make fuzz` is for.
EXAMPLES = 40
TARGETS = all_targets()


@pytest.mark.parametrize("name", TARGETS)
def test_what_it_is_given_is_decoded_or_refused(name: str) -> None:
    target = TARGETS[name]
    for seed in target.seeds:
        target.check(seed)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(target.inputs)
    def holds(raw: bytes) -> None:
        target.check(raw)

    holds()
