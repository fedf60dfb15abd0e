"""
The members of JSON documents that tell a usage, gathered over all documents of one answer.

A document is read by one decoder for the shapes of all vendors together (L{llmproxy.providers.registry.USAGE_SHAPES}),
which passes over everything else without making anything of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from types import GenericAlias
from typing import Any, TypedDict

import msgspec

from ..core.jsonmembers import JsonMembers, tree_of
from ..usage import UNKNOWN, Usage
from .plainchat import usage_of_chat
from .registry import USAGE_SHAPES
from .usage import UsageShape, model_among

_PATHS = tuple(
    dict.fromkeys(path for shape in USAGE_SHAPES for path in (*shape.members, *shape.models, *shape.identity))
)
_MODELS = tuple(dict.fromkeys(path for shape in USAGE_SHAPES for path in shape.models))

Names = dict[str, Any]
"""By name: the path of a member that is kept, or the names within an object that is looked into."""


def _names() -> Names:
    root: Names = {}
    for path in _PATHS:
        *outer, last = path.split(".")
        names = root
        for name in outer:
            names = names.setdefault(name, {})
        names[last] = path
    return root


def _type_of(names: Names) -> Any:
    """What has these members; something else may stand in the place of each object."""
    make: Any = TypedDict
    members = {
        name: Any if isinstance(each, str) else _type_of(each) | str | int | float | bool | list[Any] | None
        for name, each in names.items()
    }
    return make("Members", members, total=False)


_NAMES = _names()
_NESTED = frozenset(name for name, each in _NAMES.items() if not isinstance(each, str))
_TYPE = _type_of(_NAMES)
_decode = msgspec.json.Decoder(_TYPE | GenericAlias(list, (_TYPE,))).decode
_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_TREE = tree_of(_PATHS)

_TELLING = sorted({path.rpartition(".")[2].encode("ascii") for shape in USAGE_SHAPES for path in shape.members})
_USAGE_NAME, _NO_USAGE = b'"usage', (b'":null', b'": null')


def tells_usage(text: bytes) -> bool:
    """
    Whether there is a member in it whose name begins with C{usage}, and that is not null: so nearly all streams tell
    theirs. It is asked of every event, and takes an eighth of what L{tells_any} does.
    """
    at = text.find(_USAGE_NAME)
    while at >= 0:
        at += len(_USAGE_NAME)
        if not text.startswith(_NO_USAGE, at):
            return True
        at = text.find(_USAGE_NAME, at)
    return False


_LETTERS = (bytes(sorted({*letters})) for letters in zip(*(name[:3] for name in _TELLING), strict=False))
_BEGIN = b"".join(b"[%b]" % re.escape(letters) for letters in _LETTERS)
# Most names in an event begin otherwise: to look at three letters takes half of the time.
tells_any = re.compile(rb'"(?=%b)(?:%b)"(?!\s*:\s*null)' % (_BEGIN, b"|".join(map(re.escape, _TELLING)))).search
"""Finds something in every document that tells a usage, and seldom in others."""

_MOST_UNNAMED = 8
"""Documents at the beginning of a stream among which one is looked for that names the model."""

_MOST_NAMES = 64
_MOST_REMEMBERED = 1024
_USAGE = {"usage"}
_shapes: dict[tuple[str | None, ...], tuple[UsageShape, ...]] = {}


def shapes_of(found: Mapping[str, Any]) -> tuple[UsageShape, ...]:
    """The shapes that C{found} may be of, in their order."""
    usage = found.get("usage")
    names: Iterable[str] = usage if type(usage) is dict and len(usage) <= _MOST_NAMES else ()
    key = (*found, None, *names)
    return _shapes.get(key) or _remembered(key, found.keys(), {*names})


def _remembered(key: tuple[str | None, ...], paths: Set[str], names: Set[str]) -> tuple[UsageShape, ...]:
    if len(_shapes) >= _MOST_REMEMBERED:
        _shapes.clear()
    shapes = _shapes[key] = tuple(shape for shape in USAGE_SHAPES if _may_be(shape, paths, names))
    return shapes


def _may_be(shape: UsageShape, paths: Set[str], names: Set[str]) -> bool:
    """@param names: of the members of C{usage}; empty where they are not known."""
    held = paths & set(shape.members)
    if held == _USAGE and names and shape.signs:
        return not names.isdisjoint(shape.signs)
    return bool(held)


def usage_of(found: Mapping[str, Any]) -> Usage:
    """
    @param found: see L{Documents.found}.
    @return: one that is not known names the model that answered all the same.
    """
    usage = usage_of_chat(found)
    if usage is not None:
        return usage
    for shape in shapes_of(found):
        usage = shape.read(found)
        if usage is not None:
            return usage
    model = model_among(found, _MODELS)
    return Usage(served_model=model) if model else UNKNOWN


def found_in(text: bytes) -> Mapping[str, Any] | None:
    """
    What is found in one document, as nearly all answers are, that has nothing which a L{Documents} would have to take
    apart; C{None} for any other.
    """
    try:
        document = _decode(text)
    except _ERRORS:
        return None
    if type(document) is not dict or not _NESTED.isdisjoint(document):
        return None
    if None in document.values():
        return {name: value for name, value in document.items() if value is not None}
    return document


class Documents:
    """
    @ivar found: what was found, by its path; of objects that came several times the members of all, the last of each.
    """

    __slots__ = ("_unnamed", "found")

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}
        self._unnamed = _MOST_UNNAMED

    def usage(self) -> Usage:
        """What all documents together say."""
        return usage_of(self.found)

    @property
    def is_named(self) -> bool:
        """Whether the model that answers is known."""
        found = self.found
        return any(found.get(path) for path in _MODELS)

    def add(self, text: bytes) -> bool:
        """
        Take a document, or an array of such.

        @return: whether it is one.
        """
        try:
            document = _decode(text)
        except msgspec.ValidationError:
            return self._add_other(text)
        except _ERRORS:
            return False
        self._gather(_NAMES, document)
        return True

    def take(self, text: bytes) -> bool:
        """
        Take a document of a stream.

        @return: whether the next one is wanted whatever is in it, since the model is not known.
        """
        self.add(text)
        if self._unnamed:
            self._unnamed = 0 if self.is_named else self._unnamed - 1
        return self._unnamed > 0

    def scan(self) -> JsonMembers:
        """What is fed a document that is not held, or several behind each other."""
        return JsonMembers(_TREE, self._note)

    def _add_other(self, text: bytes) -> bool:
        """JSON all the same, perhaps: an array of something else among them."""
        try:
            document = msgspec.json.decode(text)
        except _ERRORS:
            return False
        self._gather(_NAMES, document)
        return True

    def _gather(self, names: Names, document: Any) -> None:
        if type(document) is not dict:
            if type(document) is list and names is _NAMES:
                for each in document:
                    if type(each) is dict:
                        self._gather(names, each)
            return
        for name, value in document.items():
            known = names.get(name)
            if known is None or value is None:
                continue
            if type(known) is str:
                self._set(known, value)
            else:
                self._gather(known, value)

    def _note(self, path: str, written: bytes) -> None:
        try:
            value = msgspec.json.decode(written)
        except _ERRORS:
            return
        if value is not None:
            self._set(path, value)

    def _set(self, path: str, value: Any) -> None:
        found = self.found
        if type(value) is dict and type(found.get(path)) is dict:
            value = found[path] | {name: each for name, each in value.items() if each is not None}
        found[path] = value
