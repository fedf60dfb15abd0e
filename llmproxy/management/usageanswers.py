"""Reports, records and forecasts of usage as JSON has them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from decimal import Decimal
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from ..core.ledger.entry import Entry, Tried
from ..core.reports import SUMS, Key, UsageQuestion, UsageReport, UsageSums, money

if TYPE_CHECKING:
    from ..core.forecast import Forecast

Names = dict[str, dict[Key, "str | None"]]
"""Of projects, tokens and people, by C{project}, C{token} and C{person}, then by id."""

NAMED = ("project", "token", "person")
"""Groups that have an id and a name."""

RECORD: tuple[str, ...] = tuple(name for name in Entry.__struct_fields__ if name != "claims")
"""The members of a single record, in the order of an export."""

_TEXTS = [each.name for each in msgspec.structs.fields(Entry) if each.type is str]

_sums = attrgetter(*SUMS)


def plain(question: UsageQuestion, report: UsageReport, names: Names | None = None) -> dict[str, Any]:
    """A report as JSON has it."""
    names = names or {}
    data = []
    for row in report.rows:
        keys: dict[str, Any] = {}
        for group, key in row.keys.items():
            if group in NAMED:
                keys |= {f"{group}_id": key, f"{group}_name": names.get(group, {}).get(key)}
            else:
                keys[group] = key
        data.append(keys | plain_sums(row.sums))
    return {
        "from": _time(report.since),
        "to": _time(report.until),
        "tz": question.tz,
        "data": data,
        "totals": plain_sums(report.totals),
        "more": report.more,
    }


def plain_sums(sums: UsageSums) -> dict[str, Any]:
    """Sums as JSON has them: numbers, and money as texts."""
    values: dict[str, Any] = dict(zip(SUMS, _sums(sums), strict=True))
    values["cost"], values["cost_saved"] = money(sums.cost), money(sums.cost_saved)
    return values


def plain_forecast(made: Forecast) -> dict[str, Any]:
    """Likewise of a forecast."""
    values = attrs.asdict(made)
    return {name: money(value) if isinstance(value, Decimal) else value for name, value in values.items()}


def plain_record(entry: Entry) -> dict[str, Any]:
    """A single record as JSON has it: what is not known is C{None}."""
    values = msgspec.structs.asdict(entry)
    for name in _TEXTS:
        if not values[name]:
            values[name] = None
    values["started_at"], values["ended_at"] = _time(entry.started_at), _time(entry.ended_at)
    if entry.saved is not None:
        values["saved"] = msgspec.structs.asdict(entry.saved)
    # How it was settled is no matter of its readers.
    del values["claims"]
    values["tried"] = [_attempt(each) for each in entry.tried]
    values["raw"] = None if entry.raw is None else _json(entry.raw)
    return values


def _attempt(tried: Tried) -> dict[str, Any]:
    """As the access log has it: a status, or why there is none."""
    values = msgspec.structs.asdict(tried)
    del values["cause" if tried.status else "status"]
    return values


def columns_of(groups: Iterable[str]) -> list[str]:
    """The members of a row that say which group it is."""
    return [name for group in groups for name in ((f"{group}_id", f"{group}_name") if group in NAMED else (group,))]


def cell(value: Any) -> Any:
    """A member as a cell of CSV: what has members itself is JSON, or empty where it has none."""
    if isinstance(value, bool):
        return str(value).lower()
    return (msgspec.json.encode(value).decode() if value else "") if isinstance(value, (dict, list)) else value


def _json(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return None


def _time(moment: float | None) -> str | None:
    """RFC 3339 in UTC, fractions where there are any."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, timezone.utc).isoformat().replace("+00:00", "Z")
