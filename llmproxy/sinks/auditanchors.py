"""Anchors in the database: how far the file of the audit log has come."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.logger import Logger

from ..core.backoff import delay

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime
    from twisted.python.failure import Failure

    from ..core.audit.chain import Anchor

EVERY = 1.0
"""Seconds between two notes: what is cut off within one may go unnoticed."""


class Anchoring:
    """
    Only the latest anchor counts; one that could not be noted is tried again, or the one that came since.

    @param note: keeps an anchor.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, note: Callable[[Anchor], Deferred[None]]) -> None:
        self._clock = clock
        self._note_anchor = note
        self._latest: Anchor | None = None
        self._call: IDelayedCall | None = None
        self._noting: Deferred[None] | None = None
        self._failures = 0

    def note(self, anchor: Anchor) -> None:
        self._latest = anchor
        self._later(EVERY)

    def stop(self) -> Deferred[None]:
        """Note the latest one, if that can be done at once."""
        if self._noting is not None:
            waiting: Deferred[None] = Deferred()
            self._noting.addCallback(lambda _: self.stop().chainDeferred(waiting))
            return waiting
        self._cancel()
        if self._latest is None:
            return succeed(None)
        return maybeDeferred(self._note_anchor, self._latest).addErrback(self._complain)

    def _later(self, seconds: float) -> None:
        if self._call is None and self._noting is None:
            self._call = self._clock.callLater(seconds, self._note)

    def _note(self) -> None:
        self._call = None
        anchor, self._latest = self._latest, None
        if anchor is None:
            return
        self._noting = Deferred()
        noting = maybeDeferred(self._note_anchor, anchor)
        noting.addCallbacks(self._noted, self._failed, errbackArgs=(anchor,))

    def _noted(self, result: object) -> None:
        self._failures = 0
        self._ended(EVERY)

    def _failed(self, reason: Failure, anchor: Anchor) -> None:
        if not self._failures:
            self._complain(reason)
        self._failures += 1
        self._latest = self._latest or anchor
        self._ended(delay(self._failures, EVERY))

    def _ended(self, wait: float) -> None:
        noting, self._noting = self._noting, None
        if self._latest is not None:
            self._later(wait)
        if noting is not None:
            noting.callback(None)

    def _complain(self, reason: Failure) -> None:
        self._log.error(
            "the end of the audit log could not be noted in the database; if it is cut, nobody may notice: {why}",
            why=reason.getErrorMessage(),
        )

    def _cancel(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
