"""The places in which APIs carry a model and the parameters of a call: in a path, a query, a body, a file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import reduce
from typing import Any

from attrs import field, fields, frozen

from .inspection.whitelist import Path


@frozen
class Places:
    """
    Those of one vendor, or of several together (L{union}): a request is judged by all of them, whatever it goes to.

    Segments of paths are in lower case.

    @ivar one: segments before the name of a model that is one segment.
    @ivar several: segments before one that may hold slashes.
    @ivar not_names: pairs of segments, the second of which is no name although it follows one of C{one}.
    @ivar with_methods: those of C{one} and C{several} after whose names a method may stand, behind a colon.
    @ivar methods: regular expressions of these methods; what else follows a colon belongs to the name.
    @ivar without_methods: beginnings of names that have colons of their own.
    @ivar prefixed: segments after which a name may be allowed by its full name, with what stands before it there.
    @ivar unseen: segments below which content is sent that cannot be judged: it comes in parts.
    @ivar unseen_ends: ends of paths where it comes from elsewhere, in lower case.
    @ivar naming: segments, as they are written, before a name that is of interest in a record; no check goes by them.
    @ivar calls: where the parameters of a call stand that is part of another one.
    @ivar models: where a model stands beside C{model}.
    @ivar lines: where the call stands in a line of a batch file.
    @ivar absent: parameters that lead to content which never passes here: under a rule of the model they must be
        absent.
    @ivar prefixes: glob patterns of what may stand before the name of a model.
    """

    one: frozenset[str] = frozenset()
    several: frozenset[str] = frozenset()
    not_names: frozenset[tuple[str, str]] = frozenset()
    with_methods: frozenset[str] = frozenset()
    methods: tuple[str, ...] = ()
    without_methods: tuple[str, ...] = ()
    prefixed: tuple[tuple[str, str], ...] = ()
    unseen: frozenset[str] = frozenset()
    unseen_ends: tuple[bytes, ...] = ()
    naming: tuple[str, ...] = ()
    calls: tuple[Path, ...] = ()
    models: tuple[Path, ...] = ()
    lines: tuple[Path, ...] = ()
    absent: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    method: re.Pattern[str] = field(init=False)

    @method.default
    def _method(self) -> re.Pattern[str]:
        return re.compile(rf"(.*[^:]):(?:{'|'.join(self.methods)})" if self.methods else r"(?!)")


def union(places: Iterable[Places]) -> Places:
    """All that stands in one of C{places}, each once."""
    return reduce(_both, places, Places())


def _both(one: Places, other: Places) -> Places:
    values: dict[str, Any] = {}
    for each in fields(Places):
        if each.init:
            here, there = getattr(one, each.name), getattr(other, each.name)
            values[each.name] = here | there if isinstance(here, frozenset) else tuple(dict.fromkeys((*here, *there)))
    return Places(**values)
