"""The client's side of an exchange, held by the test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.python.failure import Failure

from llmproxy.errors import ClientLeft
from llmproxy.interfaces import IConnectedProtocol
from llmproxy.message import Field, Fields


class Downstream:
    """
    An L{llmproxy.interfaces.IDownstream} that notes what is done with it.

    @ivar log: what happened, in order.
    """

    def __init__(
        self, method: bytes = b"GET", uri: bytes = b"/", fields: list[Field] | None = None, body: Any = None
    ) -> None:
        self.method = method
        self.uri = uri
        self.raw_fields = [] if fields is None else fields
        self.body = body
        self.clientproto = b"HTTP/1.1"
        self.client_host = self.peer_host = "192.0.2.7"
        self.secure = self.upgrade = False
        self.on_disconnect: Callable[[Failure], Any] | None = None
        self.log: list[Any] = []
        self.head: tuple[int, bytes, Fields, Any] | None = None
        self.written = b""
        self.trailers: Fields = ()
        self.state = "open"
        self.producer: Any = None

    def write_head(self, status: int, reason: bytes, fields: Fields, length: Any) -> None:
        assert self.head is None, "two heads"
        self.head = (status, reason, fields, length)

    def write_whole(
        self,
        status: int,
        reason: bytes,
        fields: Fields,
        length: Any,
        content: bytes,
        trailers: Fields = (),
    ) -> None:
        self.write_head(status, reason, fields, length)
        self.write(content)
        self.finish(trailers)

    def write_interim(self, status: int, reason: bytes, fields: Fields) -> None:
        self.log.append(("interim", status))

    def take_over(self, protocol: IConnectedProtocol) -> None:
        raise AssertionError("C{upgrade} is false")

    def write(self, data: bytes) -> None:
        assert self.head is not None, "body before head"
        assert self.state == "open", f"written when {self.state}"
        self.written += data

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert streaming
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def finish(self, trailers: Fields = ()) -> None:
        assert self.state == "open", f"finished when {self.state}"
        self.trailers = trailers
        self.state = "finished"

    def abort(self) -> None:
        assert self.state == "open", f"aborted when {self.state}"
        self.state = "aborted"

    def leave(self) -> None:
        """The client closes its connection."""
        self.state = "left"
        if self.on_disconnect is not None:
            self.on_disconnect(Failure(ClientLeft()))
