"""POSTs to a receiver of events, and its answers, read within bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers

from ..core.attempts import retry_after
from ..core.events.receipts import PassingFailure, Receipt, failure_of, receipt_of

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from .registry import SinkTools

MOST = 1024 * 1024
"""Bytes of an answer that are read: Langfuse tells of each of some thousand items."""


@frozen
class Answer:
    """
    @ivar body: at most L{MOST} bytes of it.
    @ivar retry_after: seconds that the receiver asks to wait.
    """

    status: int
    body: bytes
    retry_after: float | None = None

    @property
    def receipt(self) -> Receipt:
        """What operators are shown of it."""
        return receipt_of(self.status, self.body)

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


class Poster:
    """
    @param url: where to.
    @param headers: of each request, credentials among them.
    """

    def __init__(self, tools: SinkTools, url: str, headers: Mapping[str, str]) -> None:
        self._tools = tools
        self._url = url
        self._headers = {"User-Agent": "llmproxy", "Content-Type": "application/json", **headers}

    async def post(self, body: bytes) -> Answer:
        """
        Send C{body}, and have whatever is answered. Raises L{PassingFailure} where nothing is. Cancelling it closes the
        connection.
        """
        try:
            return await self._exchange(body)
        except CancelledError:
            raise
        except Exception as error:
            why = str(error) or type(error).__name__
            raise PassingFailure(f"cannot be asked: {receipt_of(0, why.encode('utf-8', 'replace')).text}") from None

    async def _exchange(self, body: bytes) -> Answer:
        values = Headers({name: [value] for name, value in self._headers.items()})
        response = await self._tools.agent.request("POST", self._url, headers=values, data=body)
        read = _Reading()
        response.deliverBody(read)
        content = await read.whole
        fields = [(name, value) for name, all_of_it in response.headers.getAllRawHeaders() for value in all_of_it]
        return Answer(response.code, content, retry_after(fields, self._tools.reactor.seconds()))


def refused(answer: Answer, delivered: int = 0) -> Exception:
    """The failure that an answer means which is no success."""
    return failure_of(answer.status, answer.body, answer.retry_after, delivered)


class _Reading(Protocol):
    """
    Reads the content of an answer, up to L{MOST} bytes.

    @ivar whole: fires with it, or fails where it is cut short; cancelling it closes the connection.
    """

    def __init__(self) -> None:
        self.whole: Deferred[bytes] = Deferred(lambda _: self._cancel())
        self._chunks: list[bytes] = []
        self._size = 0
        self._cancelled = False

    def dataReceived(self, data: bytes) -> None:
        if self._size >= MOST:
            return
        self._chunks.append(data[: MOST - self._size])
        self._size += len(data)
        if self._size >= MOST:
            self._stop()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._cancelled or self.whole.called:
            return
        # PotentialDataLoss: it had no length, and ended with its connection.
        if self._size >= MOST or reason.check(ResponseDone, PotentialDataLoss):
            self.whole.callback(b"".join(self._chunks))
        else:
            self.whole.errback(reason)

    def _cancel(self) -> None:
        self._cancelled = True
        self._stop()

    def _stop(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()
