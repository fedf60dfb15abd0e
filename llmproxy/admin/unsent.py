"""
Forms that were sent and could not be acted on: kept in the page that says so, to be sent again as they were.

Nothing of them is stored. Secrets are not shown again, and are asked for anew.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

if TYPE_CHECKING:
    from .visit import Form

MOST_PACKED = 64 * 1024
"""Characters that go through signing in: coded as a form they are three times as many bytes."""

_SECRETS = ("token", "secret")
_KEY = "key."
_OURS = ("csrf", "unsent")


@frozen
class Unsent:
    """
    @ivar path: where it goes, below the pages, with its query.
    @ivar fields: names and values, without secrets.
    @ivar secrets: names of those that were typed, and what they are called.
    """

    path: str
    fields: tuple[tuple[str, str], ...] = field(repr=False)
    secrets: tuple[tuple[str, str], ...] = ()

    def packed(self) -> str:
        """As one value of a form, for L{unpacked}."""
        return json.dumps([self.path, self.fields, [name for name, _ in self.secrets]], ensure_ascii=False)

    def fits(self) -> bool:
        """Whether signing in takes it along."""
        return len(self.packed()) <= MOST_PACKED


def unsent(path: str, form: Form) -> Unsent:
    """What is kept of a form that was sent to C{path}."""
    fields = [(name, value) for name, values in form.values.items() if name not in _OURS for value in values]
    secrets = tuple((name, words) for name, value in fields if value and (words := _words_of(name)))
    return Unsent(path, tuple((name, value) for name, value in fields if not _words_of(name)), secrets)


def unpacked(text: str) -> Unsent | None:
    """What L{Unsent.packed} made; C{None} for anything else, which a browser may send all the same."""
    try:
        path, fields, secrets = json.loads(text)
        pairs = tuple((_text(name), _text(value)) for name, value in fields if name not in _OURS)
        return Unsent(_text(path), pairs, tuple((name, words) for name in secrets if (words := _words_of(_text(name)))))
    except (TypeError, ValueError, RecursionError):
        return None


def _words_of(name: str) -> str:
    """What a secret is called, C{""} if it is none."""
    if name.startswith(_KEY):
        return f"Key of {name.removeprefix(_KEY)}"
    return name.capitalize() if name in _SECRETS else ""


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("expected a text")
    return value
