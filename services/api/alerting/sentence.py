"""An alert in one sentence."""

from services.api.alerting.row import Alert
from services.api.alerting.rule import HIGH_NEGATIVE_RATIO


def sentence(alert: Alert) -> str:
    """As "62 % of 120 posts from reddit with “update” were negative within 5 minutes; the limit is 50 %."."""
    minutes = round((alert.window_end - alert.window_start).total_seconds() / 60)
    within = f"within {minutes} minute{'' if minutes == 1 else 's'}"
    scope = f" from {alert.scope.source}" if alert.scope.source else ""
    scope += f" with “{alert.scope.keyword}”" if alert.scope.keyword else ""
    posts = f"{alert.post_count:,} post{'' if alert.post_count == 1 else 's'}{scope}"
    if alert.details.get("kind") == "volume":
        return f"{posts} came {within}; the limit is {alert.threshold_value:,.10g}."
    were = "was" if alert.post_count == 1 else "were"
    if alert.scope.emotion:
        said = f"showed {alert.scope.emotion}"
    elif alert.alert_type == HIGH_NEGATIVE_RATIO:
        said = f"{were} negative"
    else:
        said = f"{were} {alert.details.get('sentiment') or 'matching'}"
    return f"{_percent(alert.actual_value)} of {posts} {said} {within}; the limit is {_percent(alert.threshold_value)}."


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.3g} %"
