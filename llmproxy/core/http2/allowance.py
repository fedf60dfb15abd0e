"""
An allowance for frames that cost a client nothing and carry nothing: what a flood is, for all kinds in one place.

Each such frame is paid for; time gives back, and so does what is of use. A client that does nothing but ask and cancel
(CVE-2023-44487, CVE-2025-8671), ping (CVE-2019-9512), change settings (CVE-2019-9515) or send frames without content
(CVE-2019-9518) has used it up soon; what browsers, SDKs and load balancers do does not come near it.
"""

from __future__ import annotations

from .frames import ConnectionFault, ErrorCode

FULL = 10_000
A_SECOND = 1_000

RESET = 50
"""A stream that ends before its time, by the client's wish or fault: some 200 at once, 16 a second for ever."""
FIELDS = 2
"""Fields of a section for which one is paid: a byte can name a field, and costs as much time as one of 60 bytes."""
EMPTY = 10
"""DATA, HEADERS or CONTINUATION without content that end nothing."""
SETTING = 10
PINGED = 5
UPDATE = 2
"""WINDOW_UPDATE."""
IGNORED = 1
"""PRIORITY, and unknown types."""

FOR_A_FRAME = 8
"""Earned with each DATA frame that we send: clients answer it with one or two WINDOW_UPDATE, some with a PING."""
FOR_AN_ANSWER = 50


class Allowance:
    """
    @ivar now: the time, in seconds; to be set before frames are looked at.
    """

    __slots__ = ("_left", "_since", "now")

    def __init__(self) -> None:
        self._left: float = FULL
        self._since = self.now = 0.0

    def spend(self, cost: int) -> None:
        """@raise ConnectionFault: it is used up."""
        self._left -= cost
        if self._left < 0:
            self._refill()
            if self._left < 0:
                raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "too many frames of no use")

    def earn(self, worth: int) -> None:
        self._left = min(FULL, self._left + worth)

    def _refill(self) -> None:
        self._left = min(FULL, self._left + (self.now - self._since) * A_SECOND)
        self._since = self.now
