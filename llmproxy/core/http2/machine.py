"""
A state machine of HTTP/2 for servers: RFC 9113, without I/O.

h2 has the same interface and stays the client of the tests. As a server it ends the whole connection where RFC 9113
section 8.1.1 ends one stream, it sends nothing more once the client has said that it leaves (section 6.8), it knows no
bound on frames of no use, and an exchange costs five times as many calls.
"""

from __future__ import annotations

from ...message import Fields
from . import allowance, sections
from . import frames as wire
from .events import ClientLeaving, RequestReceived
from .frames import PREFACE, ErrorCode, StreamFault
from .side import Side
from .streams import Stream

MOST_STREAMS = 100
"""At once, on one connection; RFC 9113 section 6.5.2 recommends no less."""

_RECEIVE_WINDOW = 1024 * 1024
"""
Bytes that all uploads of a connection together have under way. A stream has 64 KiB (RFC 9113 section 6.9.2): one whose
upstream is slow must not use up the window of the others.
"""


class ServerMachine(Side):
    """See L{llmproxy.core.http2.events.StateMachine} and L{Side}."""

    _reset_costs = allowance.RESET

    def __init__(self, head_limit: int) -> None:
        super().__init__(head_limit, PREFACE, _RECEIVE_WINDOW, sections.encode)
        self._last = wire.LARGEST_STREAM

    def initiate_connection(self) -> None:
        values = {wire.MAX_CONCURRENT_STREAMS: MOST_STREAMS, wire.MAX_HEADER_LIST_SIZE: self._head_limit}
        self._out.append(wire.settings(values))
        self._out.append(wire.window_update(0, self._room - wire.INITIAL_WINDOW))

    def begin_shutdown(self) -> None:
        if not self._closed:
            self._out.append(wire.goaway(self._last, 0))

    def refuse_streams(self) -> None:
        if not self._closed:
            self._last = min(self._last, self._streams.highest)
            self._out.append(wire.goaway(self._last, 0))

    def _last_stream(self) -> int:
        # RFC 9113 section 6.8: it must not be more than was said before.
        return min(self._last, self._streams.highest)

    # -- frames

    def _section(self, stream: int, flags: int, parent: int | None, block: bytes) -> None:
        fields, ended = sections.decode(self._decoder, block), flags & wire.END_STREAM != 0
        self._allowance.spend(len(fields) // allowance.FIELDS)
        known = self._streams.open.get(stream)
        try:
            if known is not None:
                known.check_open(stream)
                self._trailers(stream, known, fields, ended)
            elif stream <= self._streams.highest:
                self._streams.check_closed(stream, "HEADERS")
                self._allowance.spend(allowance.EMPTY)
                return
            else:
                self._request(stream, fields, ended)
        except sections.Malformed as malformed:
            raise StreamFault(stream, ErrorCode.PROTOCOL_ERROR, str(malformed)) from None
        if parent == stream:
            raise StreamFault(stream, ErrorCode.PROTOCOL_ERROR, "stream that depends on itself")

    def _request(self, stream: int, fields: Fields, ended: bool) -> None:
        self._streams.highest = stream
        if stream > self._last:
            raise StreamFault(stream, ErrorCode.REFUSED_STREAM, "stream after the last one")
        if len(self._streams.open) >= MOST_STREAMS:
            raise StreamFault(stream, ErrorCode.REFUSED_STREAM, "too many streams")
        length = sections.check_request(fields)
        if ended and length:
            raise sections.Malformed("Content-Length without content")
        self._streams.open[stream] = known = Stream(self._initial_window, length)
        if ended:
            self._ended_by_peer(stream, known)
        self._events.append(RequestReceived(stream, fields, ended))

    def _peer_leaves(self, last: int, code: int) -> None:
        self._events.append(ClientLeaving(code))

    _receivers = (
        Side._data,
        Side._headers,
        Side._priority,
        Side._rst_stream,
        Side._settings,
        Side._push_promise,
        Side._ping,
        Side._goaway,
        Side._window_update,
        Side._continuation,
    )
