"""The body of a stock Twisted or treq response, as an L{IBodyProducer}."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from .errormap import translate

if TYPE_CHECKING:
    from twisted.internet.interfaces import IConsumer


@implementer(IBodyProducer)
class ForeignBody(Protocol):
    """
    Twisted gives the transport of a response only to the one who reads its body, so that stopping a body
    which was never started has to start it first.
    """

    def __init__(self, response: Any) -> None:
        self._response = response
        self._consumer: IConsumer | None = None
        self._producing: Deferred[None] | None = None
        self._begun = self._stopped = False
        self.length = response.length

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        self._consumer = consumer
        producing: Deferred[None] = Deferred(lambda _: self.stopProducing())
        self._producing = producing
        self._begin()
        return producing

    def pauseProducing(self) -> None:
        if self.transport is not None:
            self.transport.pauseProducing()  # type: ignore[attr-defined]

    def resumeProducing(self) -> None:
        if self.transport is not None:
            self.transport.resumeProducing()  # type: ignore[attr-defined]

    def stopProducing(self) -> None:
        self._stopped = True
        self._consumer = self._producing = None
        self._begin()
        transport: Any = self.transport
        if transport is not None:
            # What Twisted passes off as the transport of a body can stop it, which closes its connection.
            getattr(transport, "abortConnection", transport.stopProducing)()

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._response.deliverBody(self)

    def dataReceived(self, data: bytes) -> None:
        if self._consumer is not None and not self._stopped:
            self._consumer.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.transport = None
        producing, self._producing = self._producing, None
        if producing is None:
            return
        # PotentialDataLoss: the message ended with its connection, which is one of HTTP's framings.
        if reason.check(ResponseDone, PotentialDataLoss):
            producing.callback(None)
        else:
            producing.errback(Failure(translate(reason)))
