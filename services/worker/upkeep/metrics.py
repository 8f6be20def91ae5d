"""What is told of upkeep, by whoever does it."""

from prometheus_client import Gauge

LAST_ROUND = Gauge("undertone_upkeep_round_timestamp_seconds", "When a round of upkeep was last completed", ["what"])
