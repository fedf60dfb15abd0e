"""An answer as the client of a test has got it so far."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer
from zope.interface import implementer

from ..core.fields import first

if TYPE_CHECKING:
    from twisted.python.failure import Failure
    from twisted.web.iweb import IBodyProducer

    from ..message import ApiResponse, Field


@implementer(IConsumer)
class MemoryAnswer:
    """
    What came of a request; it grows while the exchange runs.

    @ivar status: of the head; C{None} before it has come.
    @ivar fields: pairs in their order.
    @ivar body: as far as it has come.
    @ivar ended: nothing more comes.
    @ivar failure: why it broke off, if it did.
    """

    def __init__(self, responding: Deferred[ApiResponse]) -> None:
        self.status: int | None = None
        self.fields: list[Field] = []
        self.body = b""
        self.ended = False
        self.failure: Failure | None = None
        self._pending: Deferred[Any] | None = responding
        self._producer: IBodyProducer | None = None
        responding.addCallbacks(self._head, self._failed)

    def header(self, name: str) -> str | None:
        """The first field of this name, in any case."""
        value = first(self.fields, name.lower().encode("ascii"))
        return None if value is None else value.decode("latin-1")

    def json(self) -> Any:
        """
        The body as JSON.

        @raise ValueError: it is none, or not all of it has come.
        """
        return json.loads(self.body)

    def pause(self) -> None:
        """The client reads no further for now."""
        if self._producer is not None:
            self._producer.pauseProducing()

    def resume(self) -> None:
        """It reads on."""
        if self._producer is not None:
            self._producer.resumeProducing()

    def leave(self) -> None:
        """The client closes its connection, whatever it waits for."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.cancel()

    # -- the proxy's end

    def write(self, data: bytes) -> None:
        """Take a piece of the body."""
        self.body += data

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Bodies are paused by themselves."""

    def unregisterProducer(self) -> None:
        """See L{registerProducer}."""

    def _head(self, response: ApiResponse) -> None:
        self.status, self.fields = response.status, response.fields
        if response.body is None:
            self._end(None)
            return
        self._producer = response.body
        self._pending = producing = response.body.startProducing(self)
        producing.addCallbacks(self._end, self._failed)

    def _end(self, result: object) -> None:
        self.ended = True
        self._pending = self._producer = None

    def _failed(self, reason: Failure) -> None:
        self.failure = reason
        self._end(None)
