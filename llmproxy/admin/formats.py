"""Formats of numbers, money and moments as a reader is used to them; what is written in each is one of their locale."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime, format_time, format_timedelta
from babel.numbers import format_compact_decimal, format_currency, format_decimal, format_percent
from markupsafe import Markup, escape

from .reader import Reader, locale_named, zone_named

_SMALL = Decimal("0.01")
_LEAST = Decimal("0.00001")
_MOST_DIGITS = 5
_BYTES = ("B", "KiB", "MiB", "GiB", "TiB")


class Formats:
    """
    The filters of the templates.

    @param now: seconds since the epoch.
    """

    def __init__(self, reader: Reader, now: float) -> None:
        self.locale: Locale = locale_named(reader.locale) or Locale.parse("en")
        self.zone: Any = zone_named(reader.zone) or ZoneInfo("UTC")
        self.now = datetime.fromtimestamp(now, timezone.utc)

    # -- numbers

    def number(self, value: Any) -> str:
        """A whole or decimal number with the separators of the locale; a dash for none."""
        return "–" if value is None else format_decimal(_decimal(value), locale=self.locale)

    def compact(self, value: Any) -> str:
        """A number in little room: C{1.2M}."""
        if value is None:
            return "–"
        if abs(_decimal(value)) < 10_000:
            return self.number(value)
        return format_compact_decimal(_decimal(value), fraction_digits=1, locale=self.locale)

    def money(self, value: Any, currency: str = "USD") -> str:
        """An amount; less than a cent is not rounded to nothing."""
        if value is None:
            return "–"
        amount = _decimal(value)
        if amount and abs(amount) < _SMALL:
            # Two digits that say something, 0.0012, as far as there is room.
            digits = min(_MOST_DIGITS, 1 - amount.adjusted())
            if abs(amount) < _LEAST:
                return "<\xa0" + self.money(_LEAST, currency)
            pattern = f"¤0.{'0' * digits}"
            return format_currency(round(amount, digits), currency, pattern, locale=self.locale, currency_digits=False)
        return format_currency(amount, currency, locale=self.locale)

    def percent(self, value: Any) -> str:
        """A ratio: 0.25 is 25 %."""
        if value is None:
            return "–"
        ratio = float(value)
        pattern = "0.#%" if 0 < abs(ratio) < 0.1 else None
        return format_percent(ratio, pattern, locale=self.locale)

    def size(self, value: Any) -> str:
        """Bytes, in units of 1024."""
        if value is None:
            return "–"
        amount, unit = float(value), 0
        while abs(amount) >= 1024 and unit < len(_BYTES) - 1:
            amount, unit = amount / 1024, unit + 1
        return f"{format_decimal(round(amount, 1 if unit else 0), locale=self.locale)} {_BYTES[unit]}"

    def seconds(self, value: Any) -> str:
        """A short time, as latencies are: C{350 ms}, C{2.1 s}, C{3 min}."""
        if value is None:
            return "–"
        amount = float(value)
        if amount < 1:
            return f"{format_decimal(round(amount * 1000), locale=self.locale)} ms"
        if amount < 100:
            return f"{format_decimal(round(amount, 1), locale=self.locale)} s"
        return self.span(amount)

    # -- moments

    def moment(self, value: Any, form: str = "medium") -> Markup:
        """A moment, in the reader's time zone; in UTC where the pointer is on it."""
        at = moment_of(value)
        return Markup("–") if at is None else self._time(at, self._local(at, form))

    def day(self, value: Any) -> Markup:
        """The day of a moment."""
        at = moment_of(value)
        if at is None:
            return Markup("–")
        return self._time(at, format_date(at.astimezone(self.zone), "medium", locale=self.locale))

    def ago(self, value: Any) -> Markup:
        """How long ago, or how far ahead, a moment is; the moment itself where the pointer is on it."""
        at = moment_of(value)
        if at is None:
            return Markup("–")
        words = format_timedelta(at - self.now, add_direction=True, locale=self.locale)
        return self._time(at, words, self._local(at, "medium"))

    def span(self, value: Any) -> str:
        """A duration of seconds in words."""
        return "–" if value is None else format_timedelta(timedelta(seconds=float(value)), locale=self.locale)

    def _local(self, at: datetime, form: str) -> str:
        return format_datetime(at, form if form in _FORMS else "medium", tzinfo=self.zone, locale=self.locale)

    def _time(self, at: datetime, words: str, local: str = "") -> Markup:
        utc = f"{at:%Y-%m-%d %H:%M:%S} UTC"
        hover = f"{local} · {utc}" if local else utc
        # C{lang}: a screen reader reads a date in its own language.
        lang = (
            Markup("")
            if self.locale.language == "en"
            else Markup(' lang="{}"').format(str(self.locale).replace("_", "-"))
        )
        return Markup('<time datetime="{}" title="{}"{}>{}</time>').format(
            f"{at:%Y-%m-%dT%H:%M:%SZ}", hover, lang, escape(words)
        )

    def tick(self, value: Any, unit: str) -> str:
        """
        The label of a period in a chart.

        @param unit: C{hour}, C{day}, C{week} or C{month}.
        """
        at = moment_of(value)
        if at is None:
            return ""
        local = at.astimezone(self.zone)
        if unit == "hour":
            return format_time(local, "short", locale=self.locale)
        return format_date(local, "MMM y" if unit == "month" else "d MMM", locale=self.locale)


_FORMS = ("short", "medium", "long", "full")


def moment_of(value: Any) -> datetime | None:
    """A moment as the API writes one (RFC 3339), or in seconds since the epoch; C{None} for none."""
    if value is None or value == "":
        return None
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, timezone.utc)
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc)
    # Python 3.10 reads no Z.
    return datetime.fromisoformat(str(value).replace("Z", "+00:00")).astimezone(timezone.utc)


def _decimal(value: Any) -> Decimal:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return Decimal(0)
