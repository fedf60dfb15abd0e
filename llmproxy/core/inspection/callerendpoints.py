"""Rules of the endpoints of a batch, which a token or a project may use or not: each line is a call of one."""

from __future__ import annotations

from urllib.parse import urlsplit

from attrs import frozen

from ...limiterrors import EndpointNotAllowed
from ..endpoints import Endpoints, settled
from .whitelist import ANYTHING, LONGEST_VALUE, SHOWN, ParamRule

_NONE = Endpoints.compile(())


@frozen
class EndpointRule(ParamRule):
    """
    The endpoints of a token or a project.

    @ivar whose: in words.
    """

    whose: str = ""
    endpoints: Endpoints = _NONE

    @classmethod
    def of(cls, whose: str, endpoints: Endpoints) -> EndpointRule:
        rule = ParamRule.compile("endpoint", [ANYTHING])
        return cls(rule.shown, endpoints.entries, rule.expression, False, whose, endpoints)

    def allows(self, value: str) -> bool:
        if len(value) > LONGEST_VALUE or "\0" in value:
            return False
        path = settled(urlsplit(value).path.encode("utf-8", "surrogatepass"))
        return path is not None and self.endpoints.find(path) is not None

    def refusal(self, value: str) -> EndpointNotAllowed:
        """L{EndpointNotAllowed}, with the list and whose it is."""
        shown = value if len(value) <= SHOWN else value[:SHOWN] + "..."
        return EndpointNotAllowed(f"{shown}, which a batch calls, is not among endpoints of {self.whose}")
