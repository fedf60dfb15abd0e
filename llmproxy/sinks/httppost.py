"""A POST to a receiver: no redirects, a bounded answer, and failures that say whether trying again makes sense."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone

from .. import __version__
from ..core.events.receipts import DeliveryFailure, PassingFailure, Receipt, failure_of, receipt_of

if TYPE_CHECKING:
    from .registry import HTTPAgent

MOST_READ = 64 * 1024
"""Bytes of an answer that are kept: some receivers name the events that they refuse."""

USER_AGENT = f"llmproxy/{__version__}"


class Answer:
    """
    @ivar status: the HTTP status, any.
    @ivar body: its beginning.
    @ivar retry_after: seconds, or C{None}.
    """

    __slots__ = ("body", "retry_after", "status")

    def __init__(self, status: int, body: bytes, retry_after: float | None) -> None:
        self.status = status
        self.body = body
        self.retry_after = retry_after

    @property
    def is_success(self) -> bool:
        """It is 2xx."""
        return 200 <= self.status < 300

    @property
    def receipt(self) -> Receipt:
        """What operators are shown of it."""
        return receipt_of(self.status, self.body)

    def refusal(self, delivered: int = 0) -> DeliveryFailure:
        """What one means that is not 2xx; see L{failure_of}."""
        return failure_of(self.status, self.body, self.retry_after, delivered)


async def ask(
    agent: HTTPAgent, url: str, body: bytes, headers: Mapping[str, str], method: str = "POST", most: int = MOST_READ
) -> Answer:
    """
    Send it, and read what comes back.

    @param headers: C{User-Agent} is ours where it is not given.
    @param most: bytes of an answer that are kept.
    @raise PassingFailure: nothing came back.
    """
    fields = {"User-Agent": [USER_AGENT], **{name: [value] for name, value in headers.items()}}
    try:
        response = await agent.request(method, url, headers=fields, data=body)
        data = await _beginning(response, most)
    except CancelledError:
        raise
    except Exception as error:
        # Texts of libraries may quote the URL, and so what stands in it.
        raise PassingFailure(f"no answer: {_words(error)}") from None
    return Answer(int(response.code), data, _retry_after(response))


async def post(agent: HTTPAgent, url: str, body: bytes, headers: Mapping[str, str]) -> Receipt:
    """
    The same, where only 2xx is good.

    @raise DeliveryFailure: as L{failure_of} has it.
    """
    answer = await ask(agent, url, body, headers)
    if answer.is_success:
        return answer.receipt
    raise answer.refusal()


def _words(error: Exception) -> str:
    """What went wrong, without what was sent."""
    from ..core.causes import PHRASES, cause_of

    cause = cause_of(error)
    return type(error).__name__ if cause is None else PHRASES[cause]


def _beginning(response: Any, most: int) -> Deferred[bytes]:
    reading: Deferred[bytes] = Deferred(lambda _: body.stop())
    body = _Beginning(reading, most)
    response.deliverBody(body)
    return reading


class _Beginning(Protocol):
    """The first bytes of a body; the connection is closed behind them."""

    def __init__(self, done: Deferred[bytes], most: int) -> None:
        self._done: Deferred[bytes] | None = done
        self._most = most
        self._data = b""

    def dataReceived(self, data: bytes) -> None:
        self._data += data[: self._most - len(self._data)]
        if len(self._data) >= self._most:
            self.stop()
            self._end(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        # An answer that ends too early has a status all the same, and that says all that is needed.
        self._end(None if reason.check(ResponseDone) or self._data else reason)

    def stop(self) -> None:
        transport = self.transport
        stop = getattr(transport, "abortConnection", None) or getattr(transport, "loseConnection", None)
        if stop is not None:
            stop()

    def _end(self, reason: Failure | None) -> None:
        done, self._done = self._done, None
        if done is not None and not done.called:
            done.callback(self._data) if reason is None else done.errback(reason)


def _retry_after(response: Any) -> float | None:
    """RFC 9110 section 10.2.3: seconds, or a date."""
    values = response.headers.getRawHeaders("retry-after") or []
    text = values[0].strip() if values else ""
    if text.isascii() and text.isdigit() and len(text) < 8:
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time()) if text else None
    except (ValueError, TypeError, IndexError):
        return None
