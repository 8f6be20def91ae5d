"""Days by source, as they are written in the environment."""

from services.common.source_days_setting import read_source_days


def test_days_are_read_by_source_whatever_its_name() -> None:
    assert read_source_days("") == {}
    assert read_source_days(" mastodon = 30,reddit=2, a=b=1,") == {"mastodon": 30, "reddit": 2, "a=b": 1}
