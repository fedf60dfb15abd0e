"""Requests over HTTP/2: Twisted's own, which hold a body until it is whole; here not without bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.web.http_headers import Headers
from twisted.web.server import Request

if TYPE_CHECKING:
    from .site import ProxySite


class SpooledRequest(Request):
    """
    Beyond L{llmproxy.web.limits.Limits.spooled} the client is told 413, and its stream is reset.

    Nobody knows at that time whose request it is: it is looked at when it has come.
    """

    site: ProxySite
    channel: Any
    _size = 0
    _refused = False

    def handleContentChunk(self, data: bytes) -> None:
        self._size += len(data)
        if self._refused:
            return
        site: ProxySite = self.channel.site
        if self._size <= site.limits.spooled:
            super().handleContentChunk(data)
            return
        self._refused = True
        peer = self.channel.getPeer()
        site.refused(413, "content_too_large", getattr(peer, "host", ""), "request body is too large")
        # Frames of this stream that were read together with this one are still to be told of.
        site.reactor.callLater(0, self._reset, self.channel)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        if not self._refused:
            super().requestReceived(command, path, version)

    def _reset(self, stream: Any) -> None:
        if self.channel is None or self._disconnected:
            return
        stream.writeHeaders(b"HTTP/2", b"413", b"", Headers({b"content-length": [b"0"]}))
        stream.abortConnection()
