"""The parameters that a request may carry only with certain values, and where they stand in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from attrs import field as attribute
from attrs import frozen

from ...errors import BadRequest, ClientError, ParamNotAllowed
from ..glob import any_of
from . import folding

LONGEST_VALUE = 1024
"""Characters: no value of a whitelist is longer, so a longer one matches none of its patterns but C{*}."""

ANYTHING = "*"
"""The pattern that any value matches, objects, arrays and files too."""

SHOWN = 100
"""Characters of a client's own text that an error repeats."""


@frozen
class Each:
    """In a path: every element of an array."""


EACH: Final = Each()

Path = tuple["str | Each", ...]


@frozen
class ParamRule:
    """
    What the value of one parameter must match one of.

    @ivar shown: the parameter's name in errors.
    """

    shown: str
    patterns: tuple[str, ...]
    expression: re.Pattern[str]
    anything: bool

    @classmethod
    def compile(cls, shown: str, patterns: Sequence[str]) -> ParamRule:
        return cls(shown, tuple(patterns), any_of(patterns), ANYTHING in patterns)

    def allows(self, value: str) -> bool:
        return len(value) <= LONGEST_VALUE and "\0" not in value and self.expression.fullmatch(value) is not None

    def check(self, value: str) -> None:
        """
        @raise ParamNotAllowed: it matches no pattern.
        @raise BadRequest: it is not Unicode, so that each reader puts something else in its place.
        """
        if any("\ud800" <= character <= "\udfff" for character in value[: LONGEST_VALUE + 1]):
            raise BadRequest(f"the value of '{self.shown}' is not valid Unicode")
        if not (self.anything or self.allows(value)):
            raise self.refusal(value)

    def refusal(self, value: str) -> ClientError:
        """
        @param value: the value, or what stands for one that is no text.
        """
        value = value if len(value) <= SHOWN else value[:SHOWN] + "..."
        return ParamNotAllowed(
            message=f"Parameter '{self.shown}' value '{value}' is not allowed. "
            f"Allowed patterns: [{' '.join(self.patterns)}]"
        )


@frozen
class EveryRule(ParamRule):
    """
    Several rules for one parameter, all of which hold.

    @ivar parts: those that do not allow anything come first.
    """

    parts: tuple[ParamRule, ...] = ()

    @classmethod
    def both(cls, one: ParamRule, other: ParamRule) -> ParamRule:
        """One that allows what both do."""
        if one.anything or other.anything:
            return other if one.anything else one
        return cls(one.shown, one.patterns, one.expression, False, (one, other))

    def allows(self, value: str) -> bool:
        return all(part.allows(value) for part in self.parts)

    def check(self, value: str) -> None:
        """Raises what the first raises."""
        for part in self.parts:
            part.check(value)

    def refusal(self, value: str) -> ClientError:
        """That of the first that does not allow it."""
        return next((part for part in self.parts if not part.allows(value)), self.parts[0]).refusal(value)


Allowed = Sequence[str] | ParamRule
"""Patterns, or the rule made of them."""


@frozen
class Node:
    """
    What is asked of the values at one place of a JSON document.

    @ivar rules: of the value itself; all of them must allow it.
    @ivar members: what is asked of its members, by their names after L{folding.member}.
    @ivar each: what is asked of its elements.
    """

    rules: list[ParamRule] = attribute(factory=list)
    members: dict[str, Node] = attribute(factory=dict)
    each: list[Node] = attribute(factory=list)

    @property
    def inner(self) -> bool:
        """Whether something within the value is asked about."""
        return bool(self.members or self.each)

    def at(self, step: str | Each) -> Node:
        """The node of a step from here, made if it is the first one there."""
        if isinstance(step, str):
            return self.members.setdefault(folding.member(step), Node())
        if not self.each:
            self.each.append(Node())
        return self.each[0]


@frozen
class Whitelist:
    """
    @ivar rules: by path. A path of one name is a parameter of JSON, forms and queries, a longer one a member deeper in
        a JSON document: C{("body", "model")}, C{("requests", EACH, "params", "model")}.
    @ivar root: the same for JSON.
    @ivar fields: the rules of forms and queries by names after L{folding.field}.
    @ivar methods: those that are allowed, if not all are: a field that asks for another one is refused then.
    """

    rules: Mapping[Path, ParamRule]
    root: Node
    fields: Mapping[str, Sequence[ParamRule]]
    methods: tuple[bytes, ...] = ()

    @classmethod
    def compile(
        cls, patterns: Mapping[str, Allowed] | Mapping[str | Path, Allowed], methods: tuple[bytes, ...] = ()
    ) -> Whitelist:
        """
        @param patterns: by path; a name alone is the path of one step.
        """
        rules: dict[Path, ParamRule] = {}
        root = Node()
        fields: dict[str, list[ParamRule]] = {}
        for key, allowed in patterns.items():
            path = (key,) if isinstance(key, str) else key
            rule = allowed if isinstance(allowed, ParamRule) else ParamRule.compile(_shown(path), allowed)
            rules[path] = rule
            node = root
            for step in path:
                node = node.at(step)
            node.rules.append(rule)
            if len(path) == 1 and isinstance(path[0], str):
                fields.setdefault(folding.field(path[0]), []).append(rule)
        return cls(rules, root, fields, methods)

    def __bool__(self) -> bool:
        return bool(self.rules)


class Fields:
    """
    The fields of one form or query, checked one after the other.

    A name that stands twice is refused: the one reader takes the first, the other the last. Only where it is a list by
    its name (C{include[]}) may it repeat.
    """

    def __init__(self, whitelist: Whitelist) -> None:
        self._root = whitelist.root
        self._rules = whitelist.fields
        self._methods = whitelist.methods
        self._seen: set[str] = set()

    def rules(self, name: str) -> Sequence[ParamRule]:
        """
        The rules for the field of this name; asked once for each field that there is.

        @raise MethodNotAllowed: it asks for another method, and methods are restricted.
        @raise BadRequest: it stands twice.
        """
        if self._methods:
            _check_override(self._methods, name)
        folded = folding.field(name)
        rules = self._rules.get(folded, ())
        if rules and not all(rule.shown.endswith("[]") for rule in rules):
            if folded in self._seen:
                raise repeated(name)
            self._seen.add(folded)
        return rules or self._nested(name)

    def _nested(self, name: str) -> Sequence[ParamRule]:
        """C{session[model]} and C{models[]} are how forms write what JSON nests; SDKs do so in multipart bodies."""
        steps = _STEPS.findall(name) if "[" in name or "." in name else [name]
        node: Node | None = self._root
        for step in steps:
            # An index may be written or left out.
            if node is not None and node.each and (not step.strip() or step.strip().isdigit()):
                node = node.each[0]
                continue
            while node is not None and node.each and not node.members:
                node = node.each[0]
            node = None if node is None else node.members.get(folding.member(step.strip()))
        if node is None:
            return ()
        return node.rules or [rule for each in node.each for rule in each.rules]


def _check_override(methods: tuple[bytes, ...], name: str) -> None:
    # Not needed to compile rules, which is all that the command line does with them.
    from ..overrides import is_override, other_method

    if is_override(name):
        raise other_method(methods, name)


_STEPS = re.compile(r"[^\[\].]+|(?<=\[)(?=\])")


def repeated(name: str) -> BadRequest:
    """RFC 8259 section 4: which one counts differs from reader to reader."""
    name = name[:SHOWN]
    return BadRequest(f"'{name}' is in the request twice; spellings that a server may take for one name count as one")


def _shown(path: Path) -> str:
    return ".".join("[]" if isinstance(step, Each) else step for step in path).replace(".[]", "[]")


Kind = Literal["{...}", "[...]", "(a file)"]
"""What stands in an error for a value that is no text."""
