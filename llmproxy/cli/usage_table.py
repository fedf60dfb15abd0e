"""Usage as people read it: a table with bars and totals, and the sentences below it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import msgspec

from ..core.reportperiods import zone_of
from ..management.usageanswers import NAMED
from .output import Output, moment, text_of

BAR = 16
"""Characters of the longest bar."""

_EIGHTHS = " ▏▎▍▌▋▊▉"

_CENT, _FINE = Decimal("0.01"), Decimal("0.0001")

_ALWAYS = ("requests", "input_tokens", "output_tokens", "cost")

COLUMNS = (
    ("requests", "Requests"),
    ("errors", "Errors"),
    ("cache_hits", "Hits"),
    ("input_tokens", "Input"),
    ("cached_input_tokens", "Cached"),
    ("cache_write_tokens", "Written"),
    ("output_tokens", "Output"),
    ("reasoning_tokens", "Reasoning"),
    ("audio_input_tokens", "Audio in"),
    ("audio_output_tokens", "Audio out"),
    ("images", "Images"),
    ("seconds", "Seconds"),
    ("cost", "Cost"),
    ("cost_saved", "Saved"),
)
"""Sums and the heads of their columns; one that is 0 everywhere is left out, but for those that every report has."""

_FIRST_LEFT_OUT = (
    "reasoning_tokens",
    "cache_write_tokens",
    "audio_output_tokens",
    "audio_input_tokens",
    "cached_input_tokens",
    "seconds",
    "images",
    "cache_hits",
    "errors",
    "cost_saved",
)
"""What a narrow terminal has no room for, in this order."""

_NAME = 16
"""Characters of the name of a group that are kept together, where it has so many."""

RECORD_COLUMNS = ("Ended", "Project", "API", "Model", "Status", "Input", "Output", "Cost", "Ending", "Request")


def show_report(output: Output, report: Mapping[str, Any], by: str, *, bars: bool | None = None) -> None:
    """
    @param bars: whether each row has one; C{None} as standard output is a terminal that is wide enough.
    """
    groups, totals, data = by.split(",") if by else [], report["totals"], report["data"]
    output.say(f"Usage {_span(report)}")
    shown = [(name, head) for name, head in COLUMNS if name in _ALWAYS or Decimal(str(totals[name]))]
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    keys = [[_key(row, group) for group in groups] for row in data]
    names = [min(_NAME, width) for width in widths([_head(group) for group in groups], keys)]
    left_out = without_room(names, {name: _width(head, name, [*data, totals]) for name, head in shown}, columns)
    shown = [(name, head) for name, head in shown if name not in left_out]
    heads = [*map(_head, groups), *(head for _, head in shown)]
    rows = [[*key, *(_sum(row, name) for name, _ in shown)] for key, row in zip(keys, data, strict=True)]
    footer = ["Total", *[""] * (len(groups) - 1), *(_sum(totals, name) for name, _ in shown)] if groups else None
    if has_room(heads, rows, columns) if bars is None else bars:
        heads.append("")
        lengths = bars_of([_weight(row, totals) for row in data])
        rows = [[*row, bar] for row, bar in zip(rows, lengths, strict=True)]
        footer = footer and [*footer, ""]
    numbers = range(len(groups), len(groups) + len(shown))
    output.table(report, heads, rows, "Nothing was used in this time.", footer=footer, numbers=numbers)
    if left_out and data and not output.as_json:
        hidden = ", ".join(head for name, head in COLUMNS if name in left_out)
        output.say(f"No room here for: {hidden}. A wider terminal, --csv and --json have it.")
    for line in (*_notes(report), *_forecast(report.get("forecast"))):
        output.say(line)


def has_room(heads: Sequence[str], rows: Sequence[Sequence[Any]], columns: int) -> bool:
    """Whether bars fit beside a table in a terminal of so many characters a line."""
    return sum(widths(heads, rows)) + 3 * len(heads) + BAR <= columns


def without_room(names: Sequence[int], sums: Mapping[str, int], columns: int) -> set[str]:
    """
    The sums that a terminal of so many characters a line has no room for; those that every report has are none of them.

    @param names: the widths of the columns that say which group it is.
    @param sums: the widths of the others, by the name of the sum.
    @param columns: 0 for no terminal.
    """
    left_out: set[str] = set()
    for name in _FIRST_LEFT_OUT:
        kept = [width for each, width in sums.items() if each not in left_out]
        if not columns or sum(names) + sum(kept) + 3 * (len(names) + len(kept)) <= columns:
            break
        left_out.add(name)
    return left_out & sums.keys()


def widths(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[int]:
    """Characters of the columns of a table."""
    return [max(map(len, map(text_of, column))) for column in zip(heads, *rows, strict=True)]


def _width(head: str, name: str, rows: Sequence[Mapping[str, Any]]) -> int:
    return max(len(head), *(len(_sum(row, name)) for row in rows))


def usd(text: str) -> str:
    """
    Money for reading: to the cent from a dollar on, below to a hundredth of a cent.

    >>> usd("1234.5678"), usd("0.0123"), usd("0.00001"), usd("0")
    ('$1,234.57', '$0.0123', '<$0.0001', '$0.00')
    """
    amount = Decimal(text)
    if not amount:
        return "$0.00"
    if abs(amount) < _FINE:
        return "<$0.0001"
    step = _CENT if abs(amount) >= 1 else _FINE
    return f"${amount.quantize(step, ROUND_HALF_EVEN):,}"


def bars_of(weights: Sequence[float], encoding: str | None = None) -> list[str]:
    """A bar for each, the longest L{BAR} characters; of C{#} where the terminal has no blocks."""
    most = max(weights, default=0)
    draw = _blocks if (encoding or sys.stdout.encoding or "").lower().replace("-", "") == "utf8" else _signs
    return [(draw(each / most * BAR) if most else "") or " " for each in weights]


def record_row(record: Mapping[str, Any]) -> list[Any]:
    """A single exchange under L{RECORD_COLUMNS}."""
    return [
        moment(record["ended_at"]),
        record["project_id"],
        record["api"],
        record["served_model"] or record["model"],
        record["status"],
        _number(record["input_tokens"]),
        _number(record["output_tokens"]),
        None if record["cost"] is None else usd(record["cost"]),
        record["ending"],
        record["request_id"],
    ]


def _blocks(length: float) -> str:
    eighths = round(length * 8)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _signs(length: float) -> str:
    return "#" * round(length)


def _weight(row: Mapping[str, Any], totals: Mapping[str, Any]) -> float:
    """By what it cost; where nothing has a price by tokens, else by requests."""
    if Decimal(totals["cost"]):
        return float(Decimal(row["cost"]))
    return float(_tokens(row) if _tokens(totals) else row["requests"])


def _tokens(row: Mapping[str, Any]) -> int:
    count: int = row["input_tokens"] + row["output_tokens"]
    return count


def _head(group: str) -> str:
    known = {"api": "API", "served_model": "Served model"}
    return known.get(group) or (group if ":" in group or "." in group else group.capitalize())


def _key(row: Mapping[str, Any], group: str) -> Any:
    if group in NAMED:
        return row.get(f"{group}_name") or row.get(f"{group}_id")
    return row.get(group)


def _sum(row: Mapping[str, Any], name: str) -> str:
    return usd(row[name]) if name in ("cost", "cost_saved") else _number(row[name])


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"


def _span(report: Mapping[str, Any]) -> str:
    since, until = report["from"], report["to"]
    begun = f"from {_moment_in(since, report['tz'])}" if since else "from the first record"
    ended = f"to {_moment_in(until, report['tz'])}" if until else "to now"
    return f"{begun} {ended}, {report['tz']}"


def _moment_in(text: str, tz: str) -> str:
    """Day and minute in a time zone; the day alone at midnight."""
    local = msgspec.convert(text, datetime).astimezone(zone_of(tz))
    return local.strftime("%Y-%m-%d" if (local.hour, local.minute) == (0, 0) else "%Y-%m-%d %H:%M")


def _notes(report: Mapping[str, Any]) -> list[str]:
    totals, lines = report["totals"], []
    if report["more"]:
        lines.append(f"{report['more']:,} more rows are in the total, not in the table.")
    for name, words in (
        ("unknown", "did not say what they used: nothing of it is in the sums"),
        ("estimated", "are in the sums with an estimate"),
        ("truncated", "were cut: what they used until then is in the sums"),
        ("unpriced", "have no price, their cost is not in the sums: llmproxy prices check says of which models"),
    ):
        # A proxy of before may not say it.
        if totals.get(name):
            lines.append(f"{totals[name]:,} of {totals['requests']:,} answers {words}.")
    return lines


def _forecast(made: Mapping[str, Any] | None) -> list[str]:
    if made is None or not (Decimal(made["expected"]) or Decimal(made["last_month"])):
        return []
    return [
        f"{text_of(made['month'])} will cost {usd(made['expected'])} at the rate of the last {_days(made['days'])} "
        f"({usd(made['per_day'])} a day); {usd(made['so_far'])} until now, {usd(made['last_month'])} last month."
    ]


def _days(days: float) -> str:
    count, unit = (round(days), "day") if days >= 1 else (round(days * 24), "hour")
    return f"{count} {unit}s" if count != 1 else unit
