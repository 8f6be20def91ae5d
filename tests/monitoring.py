"""The queries of Grafana's dashboards and the rules of Prometheus, for the tests of both."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import promql_parser
import yaml

DEPLOY = Path(__file__).parents[1] / "deploy"
DASHBOARDS = DEPLOY / "grafana" / "dashboards"
RULES = DEPLOY / "prometheus" / "rules"
COMPARISONS = ("==", "!=", ">=", "<=", ">", "<")
SETS = ("and", "or", "unless")


class Asked(NamedTuple):
    """An expression and where it stands."""

    where: str
    expression: str


def dashboards() -> dict[str, Any]:
    return {path.stem: json.loads(path.read_text()) for path in sorted(DASHBOARDS.glob("*.json"))}


def panels(dashboard: Any) -> list[Any]:
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def panel_queries() -> list[Asked]:
    """Of every panel, with Grafana's variables at what they are before anybody chooses."""
    return [
        Asked(f"{name}: {panel['title']}", without_variables(target["expr"]))
        for name, dashboard in dashboards().items()
        for panel in panels(dashboard)
        for target in panel["targets"]
    ]


def without_variables(expression: str) -> str:
    """`$__rate_interval` is four scrapes, every other variable all of its values."""
    return re.sub(r"\$\w+", ".*", expression.replace("$__rate_interval", "1m"))


def rules_in(path: Path) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


def rules() -> list[dict[str, Any]]:
    return [rule for path in sorted(RULES.glob("*.yml")) for rule in rules_in(path)]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def recordings() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "record" in rule]


def metrics_of(expression: str) -> set[str]:
    """The names of all metrics that it reads."""
    found: set[str] = set()

    def note(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            assert node.name, f"a metric without a name in {expression}"
            found.add(node.name)

    promql_parser.walk(promql_parser.parse(expression), note)
    return found


def operands(expression: str) -> list[str]:
    """What a rule compares, without the thresholds: each has to have data, or the rule can never be true."""
    return list(_operands(promql_parser.parse(expression)))


def _operands(node: promql_parser.Expr) -> Iterator[str]:
    if isinstance(node, promql_parser.ParenExpr):
        yield from _operands(node.expr)
    elif isinstance(node, promql_parser.BinaryExpr) and str(node.op) in (*COMPARISONS, *SETS):
        yield from _operands(node.lhs)
        yield from _operands(node.rhs)
    elif isinstance(node, promql_parser.Call) and node.func.name == "absent":
        for argument in node.args:
            yield from _operands(argument)
    elif not isinstance(node, promql_parser.NumberLiteral):
        yield node.prettify()
