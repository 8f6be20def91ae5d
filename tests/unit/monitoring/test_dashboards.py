"""The dashboards are what their generator writes and what Grafana's own types know, and each panel explains itself."""

import json
import types
import typing
from enum import EnumType
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.__main__ import FOLDER, as_json
from deploy.grafana.__main__ import dashboards as generated
from tests.monitoring import DEPLOY, dashboards, panels

NAMES = ("alerts", "database", "gpu", "inference", "pipeline")


def test_the_files_are_what_the_generator_writes() -> None:
    written = {path.stem: path.read_text() for path in FOLDER.glob("*.json")}
    assert written == {name: as_json(board) for name, board in generated().items()}, "run make dashboards"
    assert tuple(sorted(written)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_grafana_knows_every_field_and_its_type(name: str) -> None:
    register_default_plugins()
    text = (FOLDER / f"{name}.json").read_text()
    board = Dashboard.from_json(json.loads(text))
    # What its types do not know would be gone.
    assert as_json(board) == text
    assert list(mistyped(board, name)) == []


def mistyped(value: object, path: str) -> typing.Iterator[str]:
    """Where attributes of the SDK's objects are not of the types that they declare."""
    for attribute, hint in typing.get_type_hints(type(value)).items():
        here = f"{path}.{attribute}"
        if not fits(getattr(value, attribute), hint):
            yield f"{here} is {getattr(value, attribute)!r}, not {hint}"
        for index, part in enumerate(as_list(getattr(value, attribute))):
            if type(part).__module__.startswith("grafana_foundation_sdk.models") and not isinstance(part, str | int):
                yield from mistyped(part, f"{here}[{index}]")


def as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def fits(value: Any, hint: Any) -> bool:  # noqa: PLR0911 - a case for each kind of type
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in (Any, object):
        return True
    if origin is typing.Literal:
        return value in arguments
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, each) for each in arguments)
    if origin is list:
        return isinstance(value, list) and all(fits(each, arguments[0]) for each in value)
    if origin is dict:
        return isinstance(value, dict)
    if isinstance(hint, EnumType):
        return value in list(hint)
    if hint is float:
        return isinstance(value, int | float)
    return isinstance(value, hint)


def test_a_field_of_another_type_or_unknown_is_found() -> None:
    register_default_plugins()
    document = json.loads((FOLDER / "gpu.json").read_text())
    document["panels"][1]["gridPos"]["w"] = "wide"
    document["panels"][2]["options"]["graphMode"] = "sparkling"
    found = "\n".join(mistyped(Dashboard.from_json(document), "gpu"))
    assert "grid_pos[0].w is 'wide'" in found
    assert "graph_mode is 'sparkling'" in found
    document["panels"][1]["colour"] = "mauve"
    assert "mauve" not in as_json(Dashboard.from_json(document))


@pytest.mark.parametrize("name", NAMES)
def test_every_panel_says_what_it_shows_and_in_which_unit(name: str) -> None:
    board = dashboards()[name]
    assert board["description"].endswith(".")
    titles = set()
    for panel in panels(board):
        assert panel["title"], panel
        assert panel["description"].endswith("."), panel["title"]
        titles.add((panel["title"], panel["type"]))
        if panel["type"] != "table":
            assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"]
    assert len(titles) == len(panels(board))


@pytest.mark.parametrize("name", NAMES)
def test_panels_lie_beside_each_other_and_within_the_page(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboards()[name]["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + right, at["y"] + down) for right in range(at["w"]) for down in range(at["h"])}
        assert max(x for x, _ in cells) < 24
        assert not taken & cells, panel["title"]
        taken |= cells


def test_the_dashboards_name_the_data_source_that_is_provisioned_and_each_other() -> None:
    source = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"][0]
    uids = set()
    for board in dashboards().values():
        uids.add(board["uid"])
        assert {panel["datasource"]["uid"] for panel in panels(board)} == {source["uid"]}
        assert {variable["datasource"]["uid"] for variable in board["templating"]["list"]} == {source["uid"]}
        (link,) = board["links"]
        assert set(link["tags"]) <= set(board["tags"])
    assert len(uids) == len(NAMES)
