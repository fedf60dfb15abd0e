"""The settings of one sink, read one by one: what is wrong, missing or unknown is said all at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ..config.problems import unknown
from ..config.readers import readable_file
from ..config.sinkschema import SINK_KEYS
from ..config.units import parse_duration, parse_size
from ..errors import ConfigError


class SinkSettings:
    """
    >>> read = SinkSettings(settings)
    >>> self._url, self._secret = read.url("url"), read.text("secret", "")
    >>> read.done()

    Values come from a YAML file (texts, numbers, lists) or from the keywords of a program.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = dict(settings)
        self._problems: list[str] = []
        self._seen: set[str] = set()

    def text(self, key: str, default: str | None = None) -> str:
        """A text; C{None} for no default makes it required."""
        value = self._take(key, default)
        if value is None:
            return ""
        if not isinstance(value, (str, int, float)) or isinstance(value, bool):
            self.problem(key, "expected a text")
            return ""
        return str(value)

    def required(self, key: str) -> str:
        """A text that is not empty."""
        text = self.text(key)
        if not text and self._settings.get(key) is not None:
            self.problem(key, "expected a text, got an empty one")
        return text

    def url(self, key: str, default: str | None = None) -> str:
        """An C{http} or C{https} URL, without user information and fragment. It is shown in no problem."""
        text = self.text(key, default)
        why = _wrong_url(text) if text else ""
        if why:
            self.problem(key, why)
        return text

    def file(self, key: str) -> str:
        """The path of a file that is there and can be read; C{""} for none, which is the default."""
        path = self.text(key, "")
        try:
            return readable_file(path) if path else ""
        except ValueError as error:
            self.problem(key, str(error))
            return ""

    def number(self, key: str, default: int, least: int = 0, most: int = 1_000_000_000) -> int:
        """A whole number."""
        value = self._take(key, default)
        try:
            number = int(str(value))
        except ValueError:
            number = least - 1
        if not least <= number <= most or isinstance(value, bool):
            self.problem(key, f"expected a whole number from {least} to {most}")
        return number

    def duration(self, key: str, default: float) -> float:
        """Seconds, of C{"1s"} or a number of them."""
        seconds: float = self._parsed(key, default, parse_duration)
        return seconds

    def size(self, key: str, default: int) -> int:
        """Bytes, of C{"64KiB"} or a number of them."""
        found: int = self._parsed(key, default, parse_size)
        return int(found)

    def flag(self, key: str, default: bool) -> bool:
        """Yes or no."""
        value = self._take(key, default)
        words = {"true": True, "false": False}
        if isinstance(value, bool):
            return value
        if str(value).lower() in words:
            return words[str(value).lower()]
        self.problem(key, "expected true or false")
        return default

    def one_of(self, key: str, default: str, *words: str) -> str:
        """One of a few words."""
        text = self.text(key, default)
        if text not in words:
            self.problem(key, f"expected one of {', '.join(words)}")
        return text

    def texts(self, key: str) -> dict[str, str]:
        """Texts by their names; nothing by default."""
        value = self._take(key, {})
        if not isinstance(value, Mapping):
            self.problem(key, "expected names with their values")
            return {}
        return {str(name): str(each) for name, each in value.items()}

    def problem(self, key: str, why: str) -> None:
        """Note that C{key} is wrong."""
        self._problems.append(f"{key}: {why}")

    def done(self) -> None:
        """
        Nothing else is read.

        @raise ConfigError: with all that was wrong, and with what nobody asked for.
        """
        known = [*sorted(self._seen), *SINK_KEYS]
        self._problems += [
            f"{key}: {unknown(key, known, 'setting')}" for key in self._settings if key not in self._seen
        ]
        if self._problems:
            raise ConfigError(*self._problems)

    def _take(self, key: str, default: Any) -> Any:
        self._seen.add(key)
        value = self._settings.get(key)
        if value is None and default is None:
            self.problem(key, "is missing")
        return default if value is None else value

    def _parsed(self, key: str, default: Any, parse: Any) -> Any:
        value = self._take(key, default)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
            return value
        try:
            return parse(str(value))
        except ValueError as error:
            self.problem(key, str(error))
            return default


def _wrong_url(text: str) -> str:
    """What is wrong with a URL; C{""} for nothing."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return "expected a URL such as https://example.com/in"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return "expected a URL such as https://example.com/in"
    if not text.isascii() or any(character <= " " or character == "\x7f" for character in text):
        return "expected a URL of ASCII characters without spaces"
    if "@" in parts.netloc:
        return "expected no user information in a URL: credentials have settings of their own"
    return "expected a URL without a fragment" if "#" in text else ""
