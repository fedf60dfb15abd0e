"""Values without secrets, for somebody else, and a last look whether any is left."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from ..masking import MASKED

LEAST_SECRET = 4
"""Characters of what is looked for as a secret: a shorter one is in half of all words."""

_DEEPEST = 40

_PLAIN = re.compile(
    r"-?\d+(?:\.\d+)?\s?[A-Za-z%]{0,3}|true|false|yes|no|on|off|none|all|auto|debug|info|warning|warn|error|json|text",
    re.IGNORECASE,
)
"""Values that nobody keeps secret: a number with a unit, a switch, a level."""

SET = "[set]"
"""In the place of a value that is not shown."""

_ADDRESS = re.compile(
    r"(?<![\w.:])(?:(?:\d{1,3}\.){3}\d{1,3}|(?:[0-9a-f]{0,4}:){3,7}[0-9a-f]{0,4})(?![\w:]|\.\d)", re.IGNORECASE
)
"""Of clients, in logs."""


def cleaned(value: Any, clean: Callable[[str], str], depth: int = 0) -> Any:
    """
    A value of JSON, with each text in it cleaned, names too.

    @param clean: gives a text without secrets.
    """
    if depth > _DEEPEST:
        return MASKED
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(str(name)): cleaned(each, clean, depth + 1) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [cleaned(each, clean, depth + 1) for each in value]
    return value if value is None or isinstance(value, bool | int | float) else clean(str(value))


def shown_variable(value: str) -> str:
    """What may be said of the value of a variable: itself, if it is one that nobody keeps secret."""
    return value if _PLAIN.fullmatch(value.strip()) else SET


def without_addresses(text: str) -> str:
    """A line of a log without the addresses of clients; those of this machine tell nothing."""
    return _ADDRESS.sub(lambda found: found[0] if found[0] in ("127.0.0.1", "0.0.0.0", "::1") else "[address]", text)


def last_lines(text: str, most: int) -> str:
    """The end of a log, from the beginning of a line on."""
    kept = text[-most:]
    return kept if len(kept) == len(text) else kept.partition("\n")[2]


class Secrets:
    """
    Secrets as they are, and as somebody might write them: in a URL, in base64, in hexadecimal digits, in JSON.

    What is masked here is so everywhere, also in words that have nothing to do with it: who has chosen C{proxy} as a
    password gets a text that is hard to read, and not one with the password.
    """

    def __init__(self, known: Iterable[str]) -> None:
        forms = {form for each in known if len(each) >= LEAST_SECRET for form in _forms(each)}
        words = sorted(map(re.escape, forms), key=len, reverse=True)
        self._pattern = re.compile("|".join(words)) if words else None

    def masked(self, text: str) -> str:
        """A text without any of them."""
        return text if self._pattern is None else self._pattern.sub(MASKED, text)

    def leaks(self, texts: Mapping[str, str]) -> Iterator[str]:
        """The names of those texts in which one stands all the same."""
        for name, text in texts.items():
            if self._pattern is not None and self._pattern.search(text.replace(MASKED, "")):
                yield name


def _forms(secret: str) -> Iterator[str]:
    raw = secret.encode("utf-8", "surrogateescape")
    yield secret
    yield quote(secret, safe="")
    yield b64encode(raw).decode().rstrip("=")
    yield raw.hex()
    yield json.dumps(secret)[1:-1]
