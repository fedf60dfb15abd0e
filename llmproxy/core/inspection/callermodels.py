"""Rules of the model that a token or a project has of its own, beside those of APIs."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from ...limiterrors import ModelNotAllowed
from ..places import Places
from . import positions
from .whitelist import SHOWN, ParamRule

_LISTED = 10
"""Patterns that a refusal names."""


@frozen
class CallerRule(ParamRule):
    """
    The models of a token or a project.

    @ivar whose: in words.
    """

    whose: str = ""

    @classmethod
    def of(cls, whose: str, models: Sequence[str], places: Places) -> CallerRule:
        """@param places: what vendors write before the names of models."""
        rule = positions.rule_of(positions.MODEL, models, places)
        return cls(rule.shown, rule.patterns, rule.expression, rule.anything, whose)

    def refusal(self, value: str) -> ModelNotAllowed:
        """L{ModelNotAllowed}, with the list and whose it is."""
        shown = value if len(value) <= SHOWN else value[:SHOWN] + "..."
        more = len(self.patterns) - _LISTED
        listed = " ".join(self.patterns[:_LISTED]) + (f" and {more} more" if more > 0 else "")
        return ModelNotAllowed(f"{shown!r} is not among models of {self.whose}: {listed}")
