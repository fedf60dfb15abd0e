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
from .events import ClientLeaving, RequestReceived, StreamReset, TrailersReceived
from .frames import PREFACE, ErrorCode, StreamFault, protocol_error, wrong_size
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

    def _trailers(self, stream: int, known: Stream, fields: Fields, ended: bool) -> None:
        known.check_open(stream)
        if not ended:
            raise sections.Malformed("trailers must end the stream")
        sections.check_trailers(fields)
        if known.expected:
            raise sections.Malformed("content is shorter than Content-Length")
        self._ended_by_peer(stream, known)
        self._events.append(TrailersReceived(stream, fields))

    def _rst_stream(self, stream: int, flags: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise wrong_size("RST_STREAM")
        self._streams.check_begun(stream, "RST_STREAM")
        self._allowance.spend(allowance.RESET if stream in self._streams.open else allowance.EMPTY)
        if stream in self._streams.open:
            self._streams.reset_by_peer(stream)
            self._events.append(StreamReset(stream, int.from_bytes(payload, "big"), "", by_peer=True))

    def _push_promise(self, stream: int, flags: int, payload: bytes) -> None:
        raise protocol_error("PUSH_PROMISE of a client")

    def _goaway(self, stream: int, flags: int, payload: bytes) -> None:
        self._allowance.spend(allowance.SETTING)
        if stream:
            raise protocol_error("GOAWAY of a stream")
        if len(payload) < 8:
            raise wrong_size("GOAWAY")
        self._events.append(ClientLeaving(int.from_bytes(payload[4:8], "big")))

    _receivers = (
        Side._data,
        Side._headers,
        Side._priority,
        _rst_stream,
        Side._settings,
        _push_promise,
        Side._ping,
        _goaway,
        Side._window_update,
        Side._continuation,
    )
