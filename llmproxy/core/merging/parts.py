"""
Parts of a stream, and values that are put together of them.

Texts are kept in pieces until the end: to add each to the one before would copy what is there again and again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol


class Merger(Protocol):
    """
    What puts the parts of one kind of stream together.

    @cvar kind: what it makes of them.
    """

    kind: ClassVar[str]

    @property
    def is_whole(self) -> bool:
        """The last part has been seen."""

    @staticmethod
    def recognises(name: str, part: Mapping[str, Any]) -> bool:
        """Whether a part is of this kind of stream; C{name} is that of its event, or C{""}."""

    def take(self, name: str, part: Mapping[str, Any]) -> None:
        """The next part."""

    def answer(self) -> Any:
        """What a plain call would have answered, as far as it has been seen; see L{settled}."""


class Pieces:
    """A text that is not joined yet."""

    __slots__ = ("pieces",)

    def __init__(self, *pieces: str) -> None:
        self.pieces = [*pieces]


class Indexed(dict[int, Any]):
    """
    A list whose elements come by their index, in any order and with gaps.

    @ivar keeps_index: elements say their index in the plain answer too.
    """

    def __init__(self, keeps_index: bool = False) -> None:
        self.keeps_index = keeps_index

    @classmethod
    def of(cls, values: Any) -> Indexed:
        """One that begins with the elements of a list."""
        indexed = cls()
        indexed.update(enumerate(values) if isinstance(values, list) else ())
        return indexed

    def at(self, index: Any) -> dict[str, Any]:
        """The object there, a new one if there is none."""
        found = self.get(number(index))
        if not isinstance(found, dict):
            found = self[number(index)] = {}
        return found


ONCE = frozenset({"id", "type", "role", "object", "format", "index"})
"""Members that are said once; some servers repeat them with every part."""


def number(value: Any) -> int:
    """What may be an index as one."""
    return value if type(value) is int else 0


def word(value: Any) -> str:
    """A text, or C{""} in place of anything else: some of that is no member of a set."""
    return value if isinstance(value, str) else ""


def mapping(value: Any) -> Mapping[str, Any]:
    """An object, or an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """A list, or an empty one in place of anything else."""
    return value if isinstance(value, list) else []


def inner(target: dict[str, Any], name: str) -> dict[str, Any]:
    """The object at a member, a new one in place of anything else."""
    found = target.get(name)
    if not isinstance(found, dict) or isinstance(found, Indexed):
        found = target[name] = {}
    return found


def inner_list(target: dict[str, Any], name: str) -> list[Any]:
    """The list at a member, likewise."""
    found = target.get(name)
    if not isinstance(found, list):
        found = target[name] = []
    return found


def add_text(target: dict[str, Any], name: str, piece: Any) -> None:
    """Add to a member that is a text; anything else than a text adds nothing."""
    if not isinstance(piece, str):
        return
    text = target.get(name)
    if isinstance(text, Pieces):
        text.pieces.append(piece)
    elif isinstance(text, str) and text:
        target[name] = Pieces(text, piece)
    else:
        target[name] = piece


def add(target: dict[str, Any], delta: Mapping[str, Any]) -> None:
    """Add what is new: texts and lists become longer, objects get members, anything else is replaced."""
    for name, value in delta.items():
        current = target.get(name)
        if value is None:
            target.setdefault(name, None)
        elif name in ONCE:
            if current is None or current == "":
                target[name] = value
        elif isinstance(value, str):
            # A name comes in pieces, or whole each time.
            if name != "name" or current != value:
                add_text(target, name, value)
        elif isinstance(value, dict):
            if not isinstance(current, dict) or isinstance(current, Indexed):
                current = target[name] = {}
            add(current, value)
        elif isinstance(value, list):
            target[name] = added(current, value)
        else:
            target[name] = value


def added(current: Any, values: list[Any]) -> Any:
    """A list with more: elements that say their index are added to that of the same, all others stand behind it."""
    if isinstance(current, Indexed) or (not current and values and all(_has_index(each) for each in values)):
        indexed = current if isinstance(current, Indexed) else Indexed(keeps_index=True)
        for each in values:
            if _has_index(each):
                add(indexed.at(each["index"]), each)
            else:
                indexed[max(indexed, default=-1) + 1] = each
        return indexed
    if isinstance(current, list):
        current.extend(values)
        return current
    return [*values]


def _has_index(value: Any) -> bool:
    return isinstance(value, dict) and type(value.get("index")) is int


def settled(value: Any) -> Any:
    """The same in lists, objects and texts alone."""
    if isinstance(value, Pieces):
        return "".join(value.pieces)
    if isinstance(value, Indexed):
        elements = [settled(value[index]) for index in sorted(value)]
        if not value.keeps_index:
            for each in elements:
                if isinstance(each, dict):
                    each.pop("index", None)
        return elements
    if isinstance(value, dict):
        return {name: settled(each) for name, each in value.items()}
    return [settled(each) for each in value] if isinstance(value, list) else value


def latest(target: dict[str, Any], part: Mapping[str, Any], without: frozenset[str] = frozenset()) -> None:
    """Replace members by what a part says, where it says something; the members of objects one by one."""
    for name, value in part.items():
        if name in without:
            continue
        current = target.get(name)
        if value is None or value == "" or value == []:
            target.setdefault(name, value)
        elif isinstance(value, dict) and isinstance(current, dict):
            target[name] = {**current, **{inner: each for inner, each in value.items() if each is not None}}
        else:
            target[name] = value
