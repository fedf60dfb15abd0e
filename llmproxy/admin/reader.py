"""The reader of a page: language, time zone and colours, as their browser or they themselves say."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo, available_timezones

from attrs import frozen
from babel import Locale, UnknownLocaleError

THEMES = ("auto", "light", "dark")
DEFAULT_LOCALE = "en"
DEFAULT_ZONE = "UTC"
LONGEST = 400
"""Characters of what is read of a browser."""


@frozen
class Reader:
    """
    @ivar locale: how numbers, dates and money are written; the words of the pages are English.
    @ivar zone: a name of the IANA database.
    @ivar theme: one of L{THEMES}.
    @ivar chosen: whether they have said so themselves: a browser's own is not asked any more.
    """

    locale: str = DEFAULT_LOCALE
    zone: str = DEFAULT_ZONE
    theme: str = "auto"
    chosen: bool = False

    @property
    def cookie(self) -> str:
        """For L{reader_of}."""
        values = {"l": self.locale if self.chosen else "", "z": self.zone, "t": self.theme}
        return urlencode({name: value for name, value in values.items() if value})


def reader_of(cookie: str, accept_language: str) -> Reader:
    """
    @param cookie: what L{Reader.cookie} was.
    @param accept_language: the field of the request.
    """
    kept = dict(parse_qsl(cookie[:LONGEST], max_num_fields=8)) if cookie else {}
    locale, zone, theme = kept.get("l", ""), kept.get("z", ""), kept.get("t", "")
    chosen = bool(locale) and is_locale(locale)
    return Reader(
        locale if chosen else preferred(accept_language),
        zone if is_zone(zone) else DEFAULT_ZONE,
        theme if theme in THEMES else "auto",
        chosen,
    )


def preferred(accept_language: str) -> str:
    """The first locale of C{Accept-Language} that there is (RFC 9110 section 12.5.4), by quality."""
    weighed = []
    for at, part in enumerate(accept_language[:LONGEST].split(",")):
        name, _, parameter = part.strip().partition(";")
        weighed.append((-_quality(parameter), at, name.strip()))
    for quality, _, name in sorted(weighed):
        if quality < 0 and is_locale(name):
            return name
    return DEFAULT_LOCALE


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return min(1.0, max(0.0, float(value)))
    except ValueError:
        return 0.0


@lru_cache(256)
def is_locale(name: str) -> bool:
    """Whether there is such a locale: C{de}, C{pt-BR}."""
    return locale_named(name) is not None


@lru_cache(256)
def locale_named(name: str) -> Locale | None:
    """The locale of this name, or that of its language alone; C{None} if there is neither."""
    if not name or len(name) > 32 or not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        return None
    text = name.replace("-", "_")
    for tried in (text, text.partition("_")[0]):
        try:
            return Locale.parse(tried)
        except (UnknownLocaleError, ValueError):
            continue
    return None


@lru_cache(1)
def zones() -> tuple[str, ...]:
    """The names of time zones that can be chosen, those of regions first; not the old ones."""
    found = sorted(each for each in _known() if "/" in each and not each.startswith(("Etc/", "SystemV/")))
    return (DEFAULT_ZONE, *found)


@lru_cache(256)
def is_zone(name: str) -> bool:
    """Whether there is such a time zone."""
    return zone_named(name) is not None


@lru_cache(256)
def zone_named(name: str) -> ZoneInfo | None:
    """The time zone of this name, or C{None}."""
    if not name or len(name) > 64 or name not in _known():
        return None
    return ZoneInfo(name)


@lru_cache(1)
def _known() -> frozenset[str]:
    # Each look takes as long as reading a directory with all of its files: a browser could ask for that with each page.
    return frozenset(available_timezones())
