"""What hypothesis may expect of a machine: nothing of its speed, which others share.

Every run tries the same examples; `make fuzz` looks for new ones.
"""

from hypothesis import HealthCheck, settings

settings.register_profile("repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")
