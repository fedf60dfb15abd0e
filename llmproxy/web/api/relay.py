"""The relay from a response of the chain to the client: the only writer of an exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from ...bodies import BytesBody
from ...composition import NO_KEYWORDS
from ..http1.upgradedclient import UpgradedClient

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure
    from twisted.web.iweb import IBodyProducer

    from ...interfaces import IDownstream
    from ...message import ApiResponse


class Relay:
    """
    One exchange on its way to one client.

    The client's departure cancels whatever is pending, the head or the body; a body that ends
    before its time breaks the client's connection, so that a part is never taken for the whole.

    @ivar _pending: what to cancel when the client leaves.
    """

    __slots__ = ("_downstream", "_head_only", "_pending", "_response")

    _log: ClassVar = Logger()

    def __init__(self, downstream: IDownstream, head_only: bool) -> None:
        self._downstream = downstream
        self._head_only = head_only
        self._pending: Deferred[Any] | None = None
        self._response: ApiResponse | None = None

    def start(self, responding: Deferred[ApiResponse]) -> None:
        """Write what C{responding} fires with; see L{llmproxy.interfaces.Responder}."""
        self._pending = responding
        self._downstream.on_disconnect = self._left
        responding.addCallbacks(self._head, self._broken, (), NO_KEYWORDS)

    def _left(self, reason: Failure) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.cancel()

    def _head(self, response: ApiResponse) -> None:
        body, downstream = response.body, self._downstream
        if self._pending is None:
            _drop(response)
        elif response.upgraded is not None and body is not None:
            self._pending = None
            downstream.write_head(response.status, response.reason, response.fields, None)
            downstream.take_over(UpgradedClient(body, response.upgraded))
        elif body is None or self._head_only:
            if body is not None:
                body.stopProducing()
            self._pending = None
            downstream.write_head(response.status, response.reason, response.fields, None)
            downstream.finish()
        elif isinstance(body, BytesBody):
            self._pending = None
            downstream.write_whole(
                response.status, response.reason, response.fields, body.length, body.take(), response.trailers
            )
        else:
            self._stream(response, body)

    def _stream(self, response: ApiResponse, body: IBodyProducer) -> None:
        downstream = self._downstream
        self._response = response
        downstream.write_head(response.status, response.reason, response.fields, body.length)
        self._pending = producing = body.startProducing(downstream)
        if not producing.called:
            downstream.registerProducer(body, True)
        producing.addCallbacks(self._complete, self._broken)

    def _complete(self, result: None) -> None:
        self._pending = None
        downstream, response = self._downstream, self._response
        downstream.unregisterProducer()
        downstream.finish(response.trailers if response is not None else ())

    def _broken(self, reason: Failure) -> None:
        left = self._pending is None
        self._pending = None
        if not left:
            if self._response is None and not reason.check(CancelledError):
                # The chain turns its errors into responses: this one is a fault of ours.
                self._log.failure("an exchange failed without an answer", reason)
            self._downstream.unregisterProducer()
            self._downstream.abort()


def _drop(response: ApiResponse) -> None:
    """The client left while the head was on its way: what is dropped is stopped."""
    if response.upgraded is not None:
        response.upgraded.unregisterProducer()
    if response.body is not None:
        response.body.stopProducing()
