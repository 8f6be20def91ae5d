"""What Prometheus alerts to, and whether the alerts on sentiment are evaluated and delivered."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.parts import WIDTH, Section, choice, lines, new_dashboard, number, quantile, rate, rows

_FIRING = 'ALERTS{alertstate="firing", severity=~"$severity"}'


def dashboard() -> Dashboard:
    return new_dashboard(
        "alerts",
        "Alerts",
        "Alerts of the operators (docs/operations.md says what to do), and the work that raises those on sentiment.",
        choice("severity", "Severity", "Of the operators' alerts", "ALERTS", "severity"),
        _operators(),
        _tasks(),
        _webhooks(),
    )


def _operators() -> Section:
    return "For operators", [
        number(
            "Firing, critical",
            "Somebody should look now.",
            "short",
            'count(ALERTS{alertstate="firing", severity="critical"}) or vector(0)',
            width=6,
            red=1,
        ),
        number(
            "Firing, warning",
            "Somebody should look today.",
            "short",
            'count(ALERTS{alertstate="firing", severity="warning"}) or vector(0)',
            width=6,
            orange=1,
        ),
        number(
            "Targets down",
            "Services and exporters whose metrics do not answer.",
            "short",
            "count(up == 0) or vector(0)",
            width=6,
            red=1,
        ),
        number(
            "Rules that failed",
            "Evaluations within the last fifteen minutes that did not succeed.",
            "short",
            "sum(increase(prometheus_rule_evaluation_failures_total[15m]))",
            width=6,
            red=1,
        ),
        rows(
            "Firing now",
            "The name is that of a section in docs/operations.md.",
            f"{_FIRING} or on () vector(0)",
        ),
        lines(
            "Over time",
            "Alerts that fire, by name.",
            "short",
            (f"sum by (alertname) ({_FIRING}) or on () vector(0)", "{{alertname}}"),
            width=WIDTH,
            stacked=True,
        ),
    ]


def _tasks() -> Section:
    return "Background work", [
        number(
            "Alert rules evaluated",
            "How long ago the rules on sentiment were last evaluated with success.",
            "s",
            'time() - max(undertone_task_last_success_timestamp_seconds{task="alerts"})',
            width=6,
            orange=60,
            red=120,
        ),
        number(
            "Tasks that fail",
            "Background tasks of the API that succeed in no process.",
            "short",
            "count(max by (task) (undertone_task_up) == 0) or vector(0)",
            width=6,
            red=1,
        ),
        number(
            "Upkeep",
            "How long ago a round of each upkeep was completed: the longest of them.",
            "s",
            "max(time() - max by (what) (undertone_upkeep_round_timestamp_seconds))",
            width=6,
            orange=3_600,
            red=7_200,
        ),
        number(
            "Messages waiting",
            "Messages to webhooks that are not delivered yet.",
            "short",
            "sum(max by (webhook) (undertone_webhook_waiting)) or vector(0)",
            width=6,
            orange=1,
            red=10,
        ),
        lines(
            "Time since a task succeeded",
            "Of the API's background tasks, in the process that succeeded last.",
            "s",
            ("time() - max by (task) (undertone_task_last_success_timestamp_seconds > 0)", "{{task}}"),
        ),
        lines(
            "Failed runs",
            "Of the API's background tasks.",
            "cps",
            (rate("undertone_task_failures_total", "task"), "{{task}}"),
        ),
    ]


def _webhooks() -> Section:
    seconds = quantile(0.95, "undertone_webhook_attempt_duration_seconds", "webhook")
    return "Webhooks", [
        lines(
            "Attempts",
            "By outcome; what failed is tried again, for a day at most.",
            "cps",
            (f"{rate('undertone_webhook_attempts_total', 'webhook, outcome')} or vector(0)", "{{webhook}} {{outcome}}"),
        ),
        lines(
            "Time of an attempt, p95",
            "Receivers have ten seconds.",
            "s",
            (f"{seconds} or vector(0)", "{{webhook}}"),
        ),
    ]
