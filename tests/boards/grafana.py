"""Boards of Grafana, from short descriptions of their panels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from attrs import frozen

WIDTH = 24
"""Columns of a board."""

SOURCE = {"type": "prometheus", "uid": "${datasource}"}

Kind = Literal["stat", "timeseries", "table", "bargauge"]

OUR_JOB = 'job=~"$job", instance=~"$instance"'
"""What each query of a proxy's metrics is narrowed by."""


@frozen
class Query:
    """
    @ivar expression: PromQL; C{JOB} in it stands for the choice of the board's variables.
    @ivar legend: what the line is called.
    """

    expression: str
    legend: str = ""


@frozen
class Panel:
    """
    @ivar title: what it shows.
    @ivar says: what that means, and when it is bad.
    @ivar unit: as Grafana names them.
    @ivar width: in columns; 6 for a number, 12 for lines.
    @ivar warn: from which value on it is yellow; C{bad} likewise red.
    @ivar downwards: the lower is the worse.
    """

    title: str
    says: str
    queries: tuple[Query, ...]
    unit: str = "short"
    kind: Kind = "timeseries"
    width: int = 12
    warn: float | None = None
    bad: float | None = None
    downwards: bool = False
    stacked: bool = False


@frozen
class Row:
    title: str
    panels: tuple[Panel, ...]


@frozen
class Board:
    """
    @ivar name: of its file, and in its address.
    @ivar choices: further variables: their names, and the metric whose labels they choose from.
    @ivar job: the metric that says which jobs there are.
    @ivar jobs: those that are chosen at first; a regular expression.
    """

    name: str
    title: str
    says: str
    rows: tuple[Row, ...]
    choices: tuple[tuple[str, str], ...] = ()
    job: str = "llm_proxy_uptime_seconds"


def number(title: str, says: str, expression: str, unit: str = "short", **more: Any) -> Panel:
    """A panel of one number."""
    return Panel(title, says, (Query(expression),), unit, "stat", **{"width": 6, **more})


def lines(title: str, says: str, *queries: tuple[str, str], unit: str = "short", **more: Any) -> Panel:
    """A panel of lines; each query with its legend."""
    return Panel(title, says, tuple(Query(*each) for each in queries), unit, **more)


def table(title: str, says: str, expression: str, unit: str = "short", **more: Any) -> Panel:
    """A panel of rows: labels and one value, now."""
    return Panel(title, says, (Query(expression),), unit, "table", **more)


def expression(query: str) -> str:
    """A query as it stands on a board."""
    return query.replace("JOB", OUR_JOB)


def dashboard(board: Board) -> dict[str, Any]:
    """The JSON model that Grafana imports."""
    return {
        "uid": board.name,
        "title": board.title,
        "description": board.says,
        "tags": ["llmproxy"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "links": [
            {
                "type": "dashboards",
                "tags": ["llmproxy"],
                "title": "llmproxy",
                "asDropdown": True,
                "includeVars": True,
                "keepTime": True,
            }
        ],
        "templating": {"list": list(_variables(board))},
        "annotations": {"list": []},
        "panels": list(_panels(board)),
    }


def _variables(board: Board) -> Iterator[dict[str, Any]]:
    yield {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
        "hide": 0,
        "refresh": 1,
    }
    yield _choice("job", f"label_values({board.job}, job)")
    yield _choice("instance", f'label_values({board.job}{{job=~"$job"}}, instance)')
    for name, metric in board.choices:
        yield _choice(name, f"label_values({metric}{{{OUR_JOB}}}, {name})")


def _choice(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": name,
        "type": "query",
        "datasource": SOURCE,
        "definition": query,
        "query": {"query": query, "refId": "variable"},
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "refresh": 2,
        "sort": 1,
        "hide": 0,
    }


def _panels(board: Board) -> Iterator[dict[str, Any]]:
    count, y = 0, 0
    for row in board.rows:
        count += 1
        yield {
            "id": count,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1},
            "panels": [],
        }
        y += 1
        x = height = 0
        for panel in row.panels:
            if x + panel.width > WIDTH:
                x, y, height = 0, y + height, 0
            count += 1
            size = 4 if panel.kind == "stat" else 8
            yield _panel(panel, count, {"x": x, "y": y, "w": panel.width, "h": size})
            x, height = x + panel.width, max(height, size)
        y += height


def _panel(panel: Panel, count: int, place: dict[str, int]) -> dict[str, Any]:
    return {
        "id": count,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel),
        "targets": [
            {
                "refId": chr(ord("A") + at),
                "datasource": SOURCE,
                "expr": expression(query.expression),
                "legendFormat": query.legend or "__auto",
                **({"instant": True, "format": "table"} if panel.kind == "table" else {"range": True}),
            }
            for at, query in enumerate(panel.queries)
        ],
        **({"transformations": _TRANSFORMED} if panel.kind == "table" else {}),
    }


_TRANSFORMED = [{"id": "organize", "options": {"excludeByName": {"Time": True}}}]


def _defaults(panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]]
    if panel.downwards:
        steps = [{"color": "red", "value": None}]
        steps += [{"color": "yellow", "value": panel.bad}] if panel.bad is not None else []
        steps += [{"color": "green", "value": panel.warn}] if panel.warn is not None else []
    else:
        steps = [{"color": "green", "value": None}]
        steps += [{"color": "yellow", "value": panel.warn}] if panel.warn is not None else []
        steps += [{"color": "red", "value": panel.bad}] if panel.bad is not None else []
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "min": 0,
        "color": {"mode": "thresholds" if panel.kind == "stat" else "palette-classic"},
        "thresholds": {"mode": "absolute", "steps": steps},
    }
    if panel.kind == "timeseries":
        defaults["custom"] = {
            "lineWidth": 1,
            "fillOpacity": 30 if panel.stacked else 10,
            "showPoints": "never",
            "spanNulls": True,
            "stacking": {"mode": "normal" if panel.stacked else "none"},
        }
    return defaults


def _options(panel: Panel) -> dict[str, Any]:
    if panel.kind == "stat":
        return {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "area"}
    if panel.kind == "table":
        return {"showHeader": True, "sortBy": [{"displayName": "Value", "desc": True}]}
    if panel.kind == "bargauge":
        return {"reduceOptions": {"calcs": ["lastNotNull"]}, "orientation": "horizontal", "displayMode": "basic"}
    return {"tooltip": {"mode": "multi", "sort": "desc"}, "legend": {"displayMode": "list", "placement": "bottom"}}
