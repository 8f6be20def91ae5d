"""What a webhook is sent: Slack shows its text, others read the plain fields beside it."""

from collections.abc import Mapping

import msgspec

from services.api.alerting.row import Alert
from services.api.alerting.sentence import sentence

# Slack's colours of an attachment's edge.
RED, GREEN, GREY = "#c0392b", "#2e9e5b", "#7f8c8d"


def alert_message(alert: Alert, change: str) -> str:
    """The JSON of an alert that was raised or resolved."""
    raised = change == "raised"
    headline = f"{'Alert' if raised else 'Over'}: {alert.rule_name}"
    text = sentence(alert) if raised else _end(alert)
    fields = {"event": f"alert.{change}", "alert": alert.model_dump(mode="json")}
    return _message(headline, text, RED if raised else GREEN, fields)


def trial_message(webhook: str) -> str:
    return _message("Test", f"Undertone reaches the webhook {webhook}.", GREY, {"event": "test"})


def escape(text: str) -> str:
    """Text that Slack shows as it is: what people write must neither mention everybody nor hide a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _message(headline: str, text: str, colour: str, fields: Mapping[str, object]) -> str:
    slack = {
        # What a notification shows.
        "text": escape(headline),
        "attachments": [
            {
                "color": colour,
                "fallback": escape(text),
                "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": escape(text)}}],
            }
        ],
    }
    return msgspec.json.encode({**slack, "sentence": text, **fields}).decode()


def _end(alert: Alert) -> str:
    resolved = alert.details.get("resolved")
    reason = resolved.get("reason") if isinstance(resolved, dict) else None
    if alert.resolved_at is None:  # never of one that was resolved
        return sentence(alert)
    minutes = round((alert.resolved_at - alert.triggered_at).total_seconds() / 60)
    lasted = f"It lasted {minutes} minute{'' if minutes == 1 else 's'}"
    return f"{lasted}, until the {reason}." if reason else f"{lasted}. It was raised because {sentence(alert)}"
