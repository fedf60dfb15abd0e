"""
A circuit breaker as a value and a table of transitions.

What happens in each state::

    =========  ===========================  =========  =====================================
    state      what happens                 next       and then
    =========  ===========================  =========  =====================================
    closed     success                      closed     failures are forgotten
    closed     failure                      closed     one more failure in a row
    closed     failure, the threshold'th    open       until the cooldown has passed
    open       a request before that time   open       it is refused
    open       a request after that time    half open  it is let through as the probe
    half open  another request              half open  it is refused
    half open  another request, the probe   half open  it becomes the probe
               has been silent for a
               whole cooldown
    half open  the probe succeeds           closed
    half open  the probe fails              open       for another cooldown
    half open  the probe was abandoned      open       the next request becomes the probe
    open,      a result of a request that   the same   it says nothing of now
    half open  began in an earlier state
    closed     a failure of a request that  closed     it is not counted
               began before the last
               success, or before the last
               failure that was counted
    =========  ===========================  =========  =====================================

The last row makes one event one failure. Twenty requests that run when upstream is started anew fail all at once, and
a slow request that fails after others were answered says nothing of now.

What a failure is evidence of stands in L{EVIDENCE}.
"""

from __future__ import annotations

from typing import Literal

from attrs import define

from ..apisettings import BreakerSettings
from ..message import Cause

FAILURE_STATUSES = frozenset({502, 503, 504})
"""Of an upstream that is overloaded or away. A 429 or a 500 is an answer about one request."""

State = Literal["closed", "open", "half open"]

Evidence = Literal["connection", "request", "none"]

EVIDENCE: dict[Cause, Evidence] = {
    # Nothing could be sent: that holds for all who use this upstream with this key.
    "refused": "connection",
    "unroutable": "connection",
    "unreachable": "connection",
    "proxy": "connection",
    "connect_timeout": "connection",
    "certificate_name": "connection",
    "certificate": "connection",
    "tls": "connection",
    "closed": "connection",
    # Upstream had the request: it may be the model that it was for.
    "reset": "request",
    "cut_short": "request",
    "protocol": "request",
    "upstream": "request",
    # How long an answer may take is our own decision: models that think are slow and well.
    "response_header_timeout": "none",
    "silence_timeout": "none",
    "request_timeout": "none",
    # Upstream was never asked: the fault is in our name server, our configuration or on this machine.
    "name_not_found": "none",
    "name_server": "none",
    "client_certificate": "none",
    "too_many_files": "none",
    "no_ports": "none",
    "no_memory": "none",
}
"""
What a failure says something of: the C{connection} to an upstream, the one kind of C{request}, or C{none} of them.

That no connection stands within C{timeouts.connect} is a failure of the connection: no request can be the reason. What
a local resource, a name server or the outgoing configuration lacks is ours, and refusing requests would only hide it.
"""


@define(slots=True, eq=False)
class Circuit:
    """
    One upstream as one key, or one model, sees it. Times are seconds of any steady clock.

    Requests have tickets, numbers that grow: L{admit} gives them out, or an owner of several circuits for the same
    requests gives its own.

    @ivar reason: of the last failure that was counted, in words.
    """

    settings: BreakerSettings
    state: State = "closed"
    failures: int = 0
    until: float = 0.0
    reason: str = ""
    _given: int = 0
    _since: int = 0

    @property
    def latest(self) -> int:
        """The ticket that was given last."""
        return self._given

    def admit(self, now: float, ticket: int | None = None) -> int | None:
        """
        The ticket of a request, or C{None} if it is refused.

        @param ticket: larger than those before.
        """
        if self.state != "closed":
            if now < self.until:
                return None
            self._become("half open")
            # A probe that never reports is replaced after a cooldown.
            self.until = now + self.settings.cooldown
        self._given = self._given + 1 if ticket is None else ticket
        return self._given

    def refuses(self, now: float) -> bool:
        """Whether L{admit} would refuse a request; nothing changes."""
        return self.state != "closed" and now < self.until

    def succeeded(self, ticket: int) -> None:
        if self.state == "closed":
            self.failures = 0
            self._since = self._given
        elif ticket > self._since:
            self._become("closed")
            self.failures = 0

    def failed(self, ticket: int, now: float, reason: str = "") -> bool:
        """Count a failure; whether that has opened it."""
        if ticket <= self._since:
            return False
        self._since = self._given
        self.failures += 1
        self.reason = reason
        threshold = self.settings.threshold
        if self.state != "half open" and not (threshold and self.failures >= threshold):
            return False
        self._become("open")
        self.until = now + self.settings.cooldown
        return True

    def abandoned(self, ticket: int, now: float) -> None:
        """The request ended without a word of upstream: the client left before the answer."""
        if ticket > self._since and self.state == "half open":
            self._become("open")
            self.until = now

    def _become(self, state: State) -> None:
        self.state = state
        self._since = self._given
