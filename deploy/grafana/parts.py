"""What every dashboard is made of, so that all of them look and behave the same."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import common, stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, DashboardLink, QueryVariable, Row, ThresholdsConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    DataSourceRef,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    Panel,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

# As provisioning/datasources/prometheus.yml names it.
PROMETHEUS = DataSourceRef(type_val="prometheus", uid="undertone-prometheus")
TAG = "undertone"
WIDTH = 24
LINES_HEIGHT = 8
NUMBER_HEIGHT = 4

# An expression, and the name of its lines.
Query = tuple[str, str]
# The title of a row, and what stands in it.
Section = tuple[str, Sequence[Builder[Panel]]]


def new_dashboard(name: str, title: str, description: str, variable: QueryVariable, *sections: Section) -> Dashboard:
    """With a choice, links to the other dashboards, and one crosshair for all panels."""
    links = DashboardLink("Undertone").type(DashboardLinkType.DASHBOARDS).tags([TAG]).keep_time(True)
    board = (
        Dashboard(f"Undertone / {title}")
        .uid(f"undertone-{name}")
        .description(description)
        .tags([TAG])
        .readonly()
        .refresh("30s")
        .time("now-1h", "now")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(links)
        .with_variable(variable)
    )
    for heading, panels in sections:
        board = board.with_row(Row(heading))
        for panel in panels:
            board = board.with_panel(panel)
    return board


def choice(name: str, label: str, description: str, metric: str, value_of: str) -> QueryVariable:
    """Which values of a metric's label are shown: all of them at first."""
    query = f"label_values({metric}, {value_of})"
    return (
        QueryVariable(name)
        .label(label)
        .description(description)
        .datasource(PROMETHEUS)
        .query({"qryType": 1, "query": query, "refId": name})
        .definition(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.NATURAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
    )


def lines(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    width: int = 12,
    limit: float | None = None,
    stacked: bool = False,
) -> timeseries.Panel:
    """Lines over time, from 0. `limit` is drawn dashed: where an alert begins."""
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .unit(unit)
        .min(0)
        .span(width)
        .height(LINES_HEIGHT)
        .line_width(1)
        .fill_opacity(30 if stacked else 8)
        .show_points(VisibilityMode.NEVER)
        .legend(legend.show_legend(True).calcs([]))
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    )
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    if limit is not None:
        dashed = common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
        panel = panel.thresholds(_steps(red=limit)).thresholds_style(dashed)
    for ref_id, query in zip("ABCD", queries, strict=False):
        panel = panel.with_target(_target(ref_id, query).range())
    return panel


def number(
    title: str,
    description: str,
    unit: str,
    expression: str,
    *,
    width: int = 4,
    orange: float | None = None,
    red: float | None = None,
    red_below: float | None = None,
) -> stat.Panel:
    """One number, now; it turns where it needs a look: orange from, red from, red below."""
    plain = orange is None and red is None and red_below is None
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .unit(unit)
        .span(width)
        .height(NUMBER_HEIGHT)
        .color_mode(BigValueColorMode.NONE if plain else BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(_steps(orange, red, red_below))
        .with_target(_target("A", (expression, "")).instant())
    )


def rows(title: str, description: str, expression: str) -> table.Panel:
    """A table of the series that an expression gives now, a column for each label."""
    return (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .span(WIDTH)
        .height(LINES_HEIGHT)
        .with_target(_target("A", (expression, "")).instant().format(PromQueryFormat.TABLE))
    )


def _target(ref_id: str, query: Query) -> Dataquery:
    expression, legend = query
    return Dataquery().ref_id(ref_id).datasource(PROMETHEUS).expr(expression).legend_format(legend)


def _steps(orange: float | None = None, red: float | None = None, red_below: float | None = None) -> ThresholdsConfig:
    later = [(red_below, "green"), (orange, "orange"), (red, "red")]
    first = Threshold(None, "green" if red_below is None else "red")
    steps = [first, *(Threshold(value, color) for value, color in later if value is not None)]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def rate(metric: str, by: str = "", where: str = "") -> str:
    """The sum of a counter's rates, for each value of the labels `by`, of the series `where`."""
    group = f" by ({by})" if by else ""
    matchers = f"{{{where}}}" if where else ""
    return f"sum{group} (rate({metric}{matchers}[$__rate_interval]))"


def quantile(share: float, histogram: str, by: str = "", where: str = "") -> str:
    """A quantile of a histogram, for each value of the labels `by`, of the series `where`."""
    labels = f"{by}, le" if by else "le"
    return f"histogram_quantile({share}, {rate(f'{histogram}_bucket', labels, where)})"
