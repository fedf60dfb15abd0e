"""twisted.web's site, with requests that remember their fields as they came."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.web.http import HTTPChannel
from twisted.web.server import Request, Site

if TYPE_CHECKING:
    from ..message import Field

IDLE_SECONDS = 75.0
"""Longer than the 60 s of common load balancers, which should be the ones to close."""


class RawFieldsChannel(HTTPChannel):
    """
    Keeps what L{HTTPChannel} changes: the case, order and repeats of the fields.

    @cvar totalHeadersSize: bytes of a header section; twisted.web's 16 KiB are less than browsers and SDKs send.
    """

    totalHeadersSize = 64 * 1024
    site: Any

    def headerReceived(self, line: bytes) -> bool:
        good: bool = super().headerReceived(line)
        if good:
            name, _, value = line.partition(b":")
            self.requests[-1].raw_fields.append((name, value.strip(b" \t")))
        return good

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.site.refused(400, "malformed_request", self)
        super()._respondToBadRequestAndDisconnect()


class ProxyRequest(Request):
    """
    A request whose body nobody has parsed: a form of 64 MiB is somebody's upload, not our arguments.

    @ivar raw_fields: the header section in wire order.
    """

    def __init__(self, channel: Any, *args: Any, **kwargs: Any) -> None:
        self.raw_fields: list[Field] = []
        super().__init__(channel, *args, **kwargs)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        content: Any = self.content
        content.seek(0, 0)
        self.args = {}
        self.method, self.uri, self.clientproto = command, path, version
        self.path = path.partition(b"?")[0]
        self.process()


class ProxySite(Site):
    """
    @ivar on_refusal: told of what was refused before it became a request: status, code, peer.
    """

    requestFactory = ProxyRequest
    protocol = RawFieldsChannel  # type: ignore[assignment]
    displayTracebacks = False

    def __init__(self, resource: Any, *, reactor: Any, timeout: float = IDLE_SECONDS) -> None:
        super().__init__(resource, timeout=int(timeout), reactor=reactor)
        self.on_refusal: Callable[[int, str, str], object] | None = None

    def log(self, request: Any) -> None:
        """The records are the log."""

    def refused(self, status: int, code: str, channel: Any) -> None:
        """Tell L{on_refusal}."""
        if self.on_refusal is not None:
            self.on_refusal(status, code, getattr(channel.transport.getPeer(), "host", ""))
