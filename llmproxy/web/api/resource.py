"""The resource that turns a twisted.web request into an exchange of the chain."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.web.server import NOT_DONE_YET

from ...core.notable import Section, section_of
from ...core.upgraderequest import asked_for
from ...message import ApiRequest, Record
from ..basicrequest import BasicRequest
from ..clientcertificate import NAME, certificate_of
from ..requestids import known_as, request_ids
from ..resources import StreamingResource
from .relay import Relay
from .stocksite import Downstream

if TYPE_CHECKING:
    from twisted.web.server import Request

    from ...interfaces import IDownstream, Responder


class ProxyResource(StreamingResource):
    """
    Hands every request below it to the chain.

    @param clock: its C{seconds} are since the epoch.
    @param depth: how many segments of the path lead to the proxy, where it is mounted in a tree.
    """

    isLeaf = True

    def __init__(self, clock: Callable[[], float], respond: Responder, depth: int = 0) -> None:
        super().__init__()
        self._clock = clock
        self._respond = respond
        self._depth = depth
        self._next_id = request_ids()

    def mounted(self, depth: int) -> ProxyResource:
        """The same proxy, below C{depth} segments."""
        return ProxyResource(self._clock, self._respond, depth)

    def render(self, request: Request) -> int:
        self.serve(request if isinstance(request, BasicRequest) else Downstream(request))
        return NOT_DONE_YET

    def serve(self, downstream: IDownstream) -> None:
        """Make an exchange of a request, and answer it."""
        fields = downstream.raw_fields
        if type(fields) is not Section:
            fields = section_of(fields)
        request_id, user_agent, trace = known_as(fields)
        target: bytes = downstream.uri
        mount = b""
        if self._depth:
            mount, target = parted(target, self._depth)
        path, _, _ = target.partition(b"?")
        asked = downstream.upgrade and downstream.body is None and downstream.clientproto != b"HTTP/1.0"
        method: bytes = downstream.method
        client: str = downstream.client_host
        record = Record(
            request_id or self._next_id(),
            method.decode("latin-1"),
            path.decode("latin-1"),
            client,
            self._clock(),
            user_agent,
        )
        record.trace = trace
        if downstream.secure:
            identity = certificate_of(downstream)
            if identity:
                record.details = {NAME: identity}
        Relay(downstream, method == b"HEAD").start(
            self._respond(
                ApiRequest(
                    method,
                    target,
                    fields,
                    downstream.body,
                    record,
                    downstream.clientproto,
                    client,
                    downstream.secure,
                    downstream.write_interim,
                    asked_for(fields) if asked else b"",
                    peer=downstream.peer_host,
                    mount=mount,
                )
            )
        )


def parted(target: bytes, depth: int) -> tuple[bytes, bytes]:
    """
    Where a resource stands that is C{depth} segments down, and the target relative to it, byte for byte.

    >>> parted(b"/llm/v1/files/a%2Fb?x=/", 1)
    (b'/llm', b'/v1/files/a%2Fb?x=/')
    """
    path, mark, query = target.partition(b"?")
    parts = path.split(b"/", depth + 1)
    rest = parts[depth + 1] if len(parts) > depth + 1 else b""
    return b"/".join(parts[: depth + 1]), b"/" + rest + mark + query
