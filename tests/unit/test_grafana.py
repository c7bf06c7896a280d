"""The dashboard is of the form that Grafana's schema describes: the classic one, `kinds/dashboard/dashboard_kind.cue` of its
source, and for what that leaves open the panels' own. What we do not use of it is not allowed here.
"""

import re
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from deploy.local.paths import ROOT
from tests.monitoring import GRAFANA, dashboard, panels, yaml

SCHEMA_OF = {"12.0": 41}
"""Of each of Grafana's versions, the schema that it writes: a dashboard of a later one would be shown without its migrations."""
BUILT_IN = frozenset({"__rate_interval"})


class Form(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class Source(Form):
    type: Literal["prometheus"]
    uid: Literal["${datasource}"]


class Place(Form):
    h: int = Field(gt=0)
    w: int = Field(gt=0, le=24)
    x: int = Field(ge=0, lt=24)
    y: int = Field(ge=0)

    @model_validator(mode="after")
    def fits(self) -> "Place":
        if self.x + self.w > 24:
            raise ValueError("wider than the grid")
        return self


class Query(Form):
    """Of the Prometheus source: answered with the newest value, or with a range of them."""

    ref_id: str = Field(pattern=r"^[A-Z]$")
    datasource: Source
    expr: str = Field(min_length=1)
    legend_format: str
    instant: bool = False
    range: bool
    format: Literal["time_series", "table", "heatmap"] = "time_series"

    @model_validator(mode="after")
    def asks(self) -> "Query":
        if self.instant == self.range:
            raise ValueError("instant or range")
        return self


class Threshold(Form):
    color: Literal["green", "yellow", "orange", "red", "blue", "text"]
    value: float | None


class Thresholds(Form):
    mode: Literal["absolute", "percentage"]
    steps: list[Threshold] = Field(min_length=1)

    @model_validator(mode="after")
    def rise(self) -> "Thresholds":
        first, *others = [step.value for step in self.steps]
        if first is not None or None in others or others != sorted(set(others) - {None}):
            raise ValueError("the first step has no value (from the smallest), the others rise")
        return self


class Colour(Form):
    mode: Literal["thresholds", "palette-classic", "palette-saturated", "continuous-GrYlRd", "fixed"]


class Drawing(Form):
    """GraphFieldConfig of a time series."""

    draw_style: Literal["line", "bars", "points"]
    line_width: int
    fill_opacity: int = Field(ge=0, le=100)
    show_points: Literal["auto", "never", "always"]
    span_nulls: bool
    thresholds_style: dict[Literal["mode"], Literal["off", "line", "dashed", "area"]]


class Mapping(Form):
    """A value shown as a text."""

    type: Literal["value"]
    options: dict[str, dict[Literal["text", "color", "index"], str | int]]


class Defaults(Form):
    unit: Literal["short", "s", "bytes", "percentunit"]
    min: float
    thresholds: Thresholds
    color: Colour | None = None
    custom: Drawing | None = None
    no_value: str = ""
    mappings: list[Mapping] = []


class Fields(Form):
    defaults: Defaults
    overrides: list[Any] = Field(max_length=0)


class Transformation(Form):
    id: Literal["organize"]
    options: dict[str, Any]


class Panel(Form):
    id: int = Field(gt=0)
    type: Literal["stat", "table", "timeseries"]
    title: str = Field(min_length=1)
    description: str = ""
    grid_pos: Place
    datasource: Source
    targets: list[Query] = Field(min_length=1)
    options: dict[str, Any]
    field_config: Fields
    transformations: list[Transformation] = []

    @model_validator(mode="after")
    def names_each_query(self) -> "Panel":
        if len({query.ref_id for query in self.targets}) != len(self.targets):
            raise ValueError("two queries of one name")
        return self


class Row(Form):
    id: int = Field(gt=0)
    type: Literal["row"]
    title: str = Field(min_length=1)
    collapsed: Literal[False]
    grid_pos: Place
    panels: list[Any] = Field(max_length=0, description="Those of a row that is not collapsed lie beside it")


class Variable(Form):
    """Of the kind `datasource`: any source of the type that `query` names; `current` is the one that is chosen at first."""

    name: str
    label: str
    type: Literal["datasource"]
    query: Literal["prometheus"]
    regex: str
    current: dict[Literal["selected", "text", "value"], bool | str]
    options: list[Any] = Field(max_length=0)
    refresh: Literal[1]
    hide: Literal[0, 1, 2]
    multi: bool
    include_all: bool


class Templating(Form):
    list: list[Variable]


class Range(Form):
    from_: str = Field(alias="from", pattern=r"^now-\d+[smhdw]$")
    to: Literal["now"]


class Dashboard(Form):
    uid: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,40}$")
    title: str = Field(min_length=1)
    description: str
    tags: list[str]
    schema_version: int
    version: int
    editable: bool
    graph_tooltip: Literal[0, 1, 2]
    refresh: str = Field(pattern=r"^\d+[smhd]$")
    time: Range
    timezone: Literal["browser", "utc"]
    annotations: dict[Literal["list"], list[Any]]
    links: list[Any]
    templating: Templating
    panels: list[Annotated[Panel | Row, Field(discriminator="type")]]

    @model_validator(mode="after")
    def names_each_panel(self) -> "Dashboard":
        if len({panel.id for panel in self.panels}) != len(self.panels):
            raise ValueError("two panels of one number")
        return self


def test_the_dashboard_has_the_form_that_grafana_reads() -> None:
    Dashboard.model_validate(dashboard())


def test_its_schema_is_not_newer_than_the_grafana_that_shows_it() -> None:
    image = yaml(ROOT / "docker-compose.yml")["services"]["grafana"]["image"]
    version = re.fullmatch(r"grafana/grafana:(\d+\.\d+)\.\d+", image)
    assert version
    assert dashboard()["schemaVersion"] == SCHEMA_OF[version[1]]


def test_the_source_that_is_chosen_at_first_is_the_provisioned_one() -> None:
    source = yaml(GRAFANA / "provisioning" / "datasources" / "prometheus.yaml")["datasources"][0]
    (variable,) = dashboard()["templating"]["list"]
    assert (variable["name"], variable["query"]) == ("datasource", source["type"])
    assert (variable["current"]["text"], variable["current"]["value"]) == (source["name"], source["uid"])


def test_queries_use_no_variable_that_there_is_not() -> None:
    declared = {variable["name"] for variable in dashboard()["templating"]["list"]} | BUILT_IN
    used = {name for panel in panels() for target in panel["targets"] for name in re.findall(r"\$\{?(\w+)", target["expr"])}
    assert used <= declared


@pytest.mark.parametrize(
    "broken",
    [
        {"datasource": {"type": "prometheus", "uid": "prometheus"}},
        {"gridPos": {"h": 4, "w": 20, "x": 12, "y": 0}},
        {"type": "graph"},
        {"targets": []},
        {"unit": "s"},
    ],
    ids=["a source by its number", "wider than the grid", "a panel that is gone", "nothing asked", "a field in the wrong place"],
)
def test_what_grafana_would_not_show_is_found(broken: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Panel.model_validate({**panels()[0], **broken})
