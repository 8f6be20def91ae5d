"""What the keeper counts and times, and every worker that does its work."""

from prometheus_client import Gauge

HEARTBEAT = Gauge("undertone_keeper_heartbeat_timestamp_seconds", "When the event loop last ran")
LAST_ROUND = Gauge("undertone_upkeep_round_timestamp_seconds", "When a round of upkeep was last completed", ["what"])
