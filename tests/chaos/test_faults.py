"""Under a steady load everything breaks that can, several things at a time, and no post is lost, doubled or changed."""

from pathlib import Path

import pytest

from tests.chaos.compare import told
from tests.chaos.report import faults_table
from tests.chaos.run import Trial, run
from tests.chaos.short_run import MAX_LAG, POSTS, SECONDS, SEED, short_schedule

pytestmark = [pytest.mark.chaos, pytest.mark.long, pytest.mark.timeout(600)]


async def test_every_post_is_stored_once_and_every_other_entry_buried_once_whatever_fails(tmp_path: Path) -> None:
    trial = Trial(SEED, POSTS, SECONDS, short_schedule(), max_lag=MAX_LAG)
    print(*trial.faults, sep="\n")
    outcome = await run(trial, tmp_path, lambda share, what: print(f"{share:4.0%} {what}"))
    print(faults_table(outcome))
    assert not outcome.violations, told(outcome.violations)
    assert len(outcome.blows) == len(trial.faults)
    assert outcome.posts >= POSTS
