"""Lists of models, as APIs answer C{GET /v1/models}, with those alone that a caller may use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from .pathmodels import plainest

_SHAPES = (("data", ("id",)), ("models", ("name", "id")))
"""Where the list stands, and in which member of each entry its name: OpenAI's and Anthropic's, Gemini's."""

_Entry = dict[str, msgspec.Raw]


def is_list(path: bytes) -> bool:
    """Whether a path is that of a list of models: it ends in C{models}, as the most lenient server reads it."""
    return b"models" in path.lower() and plainest(path).rpartition(b"/")[2] == b"models"


def filtered(content: bytes, allows: Callable[[str], bool]) -> bytes:
    """
    The same JSON without the entries that C{allows} says no to; each that stays is the same bytes.

    @raise ValueError: it is no list of models that is known.
    """
    try:
        if content.lstrip()[:1] == b"[":
            entries = msgspec.json.decode(content, type=list[msgspec.Raw])
            return msgspec.json.encode(_kept(entries, ("id", "name"), allows))
        whole = msgspec.json.decode(content, type=_Entry)
        for name, members in _SHAPES:
            if name in whole:
                kept = _kept(msgspec.json.decode(whole[name], type=list[msgspec.Raw]), members, allows)
                return msgspec.json.encode(_ends(whole | {name: _raw(kept)}, kept))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error)) from None
    raise ValueError("it has neither data nor models")


def _kept(entries: Sequence[msgspec.Raw], members: Sequence[str], allows: Callable[[str], bool]) -> list[msgspec.Raw]:
    return [entry for entry in entries if _allowed(msgspec.json.decode(entry), members, allows)]


def _allowed(entry: Any, members: Sequence[str], allows: Callable[[str], bool]) -> bool:
    """By the first of C{members} that it has; what names no model is not shown."""
    if not isinstance(entry, dict):
        return isinstance(entry, str) and allows(entry)
    name = next((entry[member] for member in members if member in entry), None)
    return isinstance(name, str) and allows(name)


def _ends(whole: _Entry, kept: Sequence[msgspec.Raw]) -> _Entry:
    """
    Anthropic's C{first_id} and C{last_id}, which name the models of a page: those that are shown. Where a page follows,
    C{last_id} leads there, and stays.
    """
    shown = [msgspec.json.decode(entry) for entry in kept if "first_id" in whole or "last_id" in whole]
    ids = [entry.get("id") for entry in shown if isinstance(entry, dict)]
    more = "has_more" in whole and msgspec.json.decode(whole["has_more"]) is True
    for name, at in (("first_id", 0), ("last_id", -1)):
        if name in whole and not (more and name == "last_id"):
            whole[name] = _raw(ids[at] if ids else None)
    return whole


def _raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))
