"""The request over HTTP/1.1, with its body still on the way and its response written as it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..pullproducer import PullAdapter
from .response import Http1Response

if TYPE_CHECKING:
    from ...core.http11 import Head
    from ...interfaces import IConnectedProtocol
    from ...message import Field
    from .response import RequestChannel


class ProxyRequest(Http1Response):
    """
    A request of HTTP/1.1.

    @ivar upgrade: it has an C{Upgrade} field; L{take_over} is for what comes of it.
    """

    def __init__(self, channel: RequestChannel, head: Head) -> None:
        # Twisted's own __init__ makes header objects, dictionaries and lists that may never be needed.
        self.channel = channel
        self.transport = channel.transport
        self.site = channel.site
        self.method = head.method
        self.uri = head.target
        self.clientproto = head.version
        self.raw_fields: list[Field] = head.fields
        self.upgrade = head.upgrade
        trusted = self.site.trusted_proxies
        self.client_host: str = (
            channel.client_host if trusted is None else trusted.client_of(channel.client_host, head.fields)
        )
        self.peer_host: str = channel.client_host
        self.secure: bool = channel.secure

    def take_over(self, protocol: IConnectedProtocol) -> None:
        """
        Give the connection to C{protocol}, with the bytes that followed the request.

        For upgrades, after C{write_head(101, ...)}: there is no L{finish}.
        """
        self.flush()
        channel = self.channel
        if channel is None:
            return
        self.finished = 1
        self.channel = self.on_disconnect = None
        channel.hand_over(protocol)

    # -- producers

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        if self.producer is not None:
            raise ValueError(f"registering producer {producer} before {self.producer} was unregistered")
        channel = self.channel
        if channel is None:
            producer.stopProducing()
            return
        self.flush()
        self.streamingProducer = streaming
        self.producer = producer if streaming else PullAdapter(self.site.reactor, producer)
        if channel.persistence.congested:
            self.producer.pauseProducing()

    def unregisterProducer(self) -> None:
        producer, self.producer = self.producer, None
        if isinstance(producer, PullAdapter):
            producer.release()
