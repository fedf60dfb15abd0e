"""
Positions of parameters in the JSON of APIs: a whitelist names a parameter, an API may carry it deeper than at the top.

Which these are is said by L{llmproxy.core.places.Places}, and what vendors have by L{llmproxy.providers}.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import evolve

from ..glob import any_of
from ..places import Places
from . import folding
from .whitelist import EveryRule, ParamRule, Path, Whitelist

MODEL = "model"
ENDPOINT = "endpoint"
"""What a batch is for, as it is made of a file."""


def is_model(name: str) -> bool:
    """Whether a parameter of this name is the model."""
    return folding.member(name) == MODEL


def rule_of(name: str, patterns: Sequence[str], places: Places) -> ParamRule:
    """The rule of a parameter; one of models allows their names with what vendors write before them, too."""
    rule = ParamRule.compile(name, patterns)
    if not is_model(name):
        return rule
    return evolve(
        rule, expression=any_of([*patterns, *(prefix + each for prefix in places.prefixes for each in patterns)])
    )


def of_bodies(
    rules: Mapping[str, ParamRule],
    places: Places,
    methods: tuple[bytes, ...] = (),
    more: Mapping[str, ParamRule] | None = None,
) -> Whitelist:
    """
    What is asked of a request body, a query, and a message of a WebSocket.

    @param methods: see L{Whitelist}.
    @param more: of members at the top, beside what is asked of them already.
    """
    found: dict[str | Path, ParamRule] = {path: rule for name, rule in rules.items() for path in paths(name, places)}
    if any(is_model(name) and not rule.anything for name, rule in rules.items()):
        for absent in places.absent:
            found.setdefault((absent,), ParamRule.compile(absent, ["null"]))
    for name, rule in (more or {}).items():
        found[(name,)] = EveryRule.both(found[(name,)], rule) if (name,) in found else rule
    return Whitelist.compile(found, methods)


def of_lines(rules: Mapping[str, ParamRule], places: Places) -> Whitelist:
    """What is asked of a line of a batch file."""
    found = {path: rule for name, rule in rules.items() for path in paths(name, places)}
    below: dict[str | Path, ParamRule] = {(*at, *path): rule for at in places.lines for path, rule in found.items()}
    top: dict[str | Path, ParamRule] = {(name,): rule for name, rule in rules.items()}
    return Whitelist.compile(top | below)


def paths(name: str, places: Places) -> list[Path]:
    """Where the parameter C{name} may stand."""
    found: list[Path] = [(name,), *((*at, name) for at in places.calls)]
    return [*found, *places.models] if is_model(name) else found
