"""The page of how things are shown: language of numbers, time zone, colours. The site itself acts on its form."""

from __future__ import annotations

from ..answers import Page, ViewAnswer
from ..reader import THEMES, locale_named, zones
from ..visit import Entry, Route, Visit

LOCALES = (
    *("ar", "ar-EG", "bg", "bn", "ca", "cs", "da", "de", "de-AT", "de-CH", "el", "en", "en-AU", "en-CA", "en-GB"),
    *("en-IE", "en-IN", "en-ZA", "es", "es-AR", "es-MX", "et", "eu", "fa", "fi", "fr", "fr-BE", "fr-CA", "fr-CH"),
    *("gl", "iw", "hi", "hr", "hu", "id", "is", "it", "it-CH", "ja", "ko", "lt", "lv", "ms", "nb", "nl", "nl-BE"),
    *("pl", "pt", "pt-BR", "ro", "ru", "sk", "sl", "sr", "sv", "sw", "ta", "te", "th", "tr", "uk", "ur", "vi"),
    *("zh", "zh-Hant"),
)
"""What can be chosen here; a browser may ask for any other."""


async def show(visit: Visit) -> ViewAnswer:
    context = {
        "locales": locales(),
        "zones": [(each, each.replace("_", " ")) for each in zones()],
        "themes": THEMES,
        "next": visit.query.get("next", "/display"),
    }
    return Page("display.html", context)


def locales() -> list[tuple[str, str]]:
    """Those that can be chosen, with their own names."""
    found = [
        (name, locale.get_display_name() or name) for name in LOCALES if (locale := locale_named(name)) is not None
    ]
    return sorted(found, key=lambda pair: pair[1].casefold())


ROUTES = (Route("GET", "/display", show),)
NAVIGATION: tuple[Entry, ...] = ()
