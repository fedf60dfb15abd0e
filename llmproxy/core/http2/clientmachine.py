"""A state machine of HTTP/2 for clients: RFC 9113, without I/O."""

from __future__ import annotations

from ...message import Fields
from . import allowance, sections
from . import frames as wire
from .events import (
    InterimReceived,
    ResponseReceived,
    ServerLeaving,
    StreamReset,
    StreamsAllowed,
)
from .frames import PREFACE, ErrorCode, StreamFault, protocol_error
from .side import Side
from .streams import Stream

MOST_STREAMS = 100
"""At once, on one connection, however many more the server would take: they end together if it breaks."""

ROOM = 512 * 1024
"""
Bytes of an answer that may be under way before its reader has taken them. With 256 KiB a download of 20 MB from nginx
took 1.5 times as much processor time (C{tests.benchmarks.upstreamprotocols}): room that is given back costs a
turn at both ends. All streams together have room for all of this: one whose client is slow must not use up the window
of the others.
"""

_LARGEST_SECTION = 4
"""Header limits that a section may have before the connection ends. A little too large, it ends its stream alone."""

_PER_FIELD = 4
"""What a field takes in HTTP/1.1 beside its name and value."""

_PING = b"llmproxy"
"""Eight bytes that come back."""

_SWITCHING = 101
_FINAL = 200
_BODILESS = (204, 304)


class Response(Stream):
    """
    @ivar headed: its final head has come.
    @ivar to_head: the request is a HEAD.
    """

    __slots__ = ("headed", "to_head")

    def __init__(self, window: int, to_head: bool) -> None:
        super().__init__(window, None, ROOM)
        self.to_head = to_head
        self.headed = False


class ClientMachine(Side):
    """
    The client's side of a connection, see L{Side}: bytes and calls in, events and bytes out. What is sent on a stream
    that is no longer open goes nowhere: the server may end it at any time.

    @param head_limit: bytes of a header section, counted as in HTTP/1.1.
    @ivar most_streams: how many may be open at once.
    @ivar has_taken: the server has said which stream is its last one, and that is one of ours.
    """

    _reset_costs = 0
    """Each costs a request of ours: there are no more than we want."""

    def __init__(self, head_limit: int) -> None:
        super().__init__(_LARGEST_SECTION * head_limit, b"", MOST_STREAMS * ROOM, sections.encode_request)
        self._most_of_a_head = head_limit
        self._leaving = self.has_taken = False
        self.most_streams = MOST_STREAMS

    # -- what may be asked

    @property
    def settled(self) -> bool:
        """The server has said how it wants to be spoken to."""
        return self._settled

    @property
    def can_begin(self) -> bool:
        """Whether another stream may begin now."""
        return len(self._streams.open) < self.most_streams and not self.is_used_up

    @property
    def is_used_up(self) -> bool:
        """Whether no stream will ever begin again."""
        return self._leaving or self._closed or self._streams.highest >= wire.LARGEST_STREAM - 1

    def initiate_connection(self) -> None:
        """Send the preface and our settings."""
        values = {
            wire.ENABLE_PUSH: 0,
            wire.INITIAL_WINDOW_SIZE: ROOM,
            wire.MAX_HEADER_LIST_SIZE: self._head_limit,
        }
        self._out.append(PREFACE + wire.settings(values))
        self._out.append(wire.window_update(0, self._room - wire.INITIAL_WINDOW))

    def begin(self, fields: Fields, ended: bool) -> int:
        """
        Send a request's head; L{can_begin} holds.

        @param fields: names in lower case, pseudo-fields first.
        @param ended: nothing follows.
        @return: its stream.
        """
        streams = self._streams
        # RFC 9113 section 5.1.1: the client's are odd.
        stream = streams.highest + 2 if streams.highest else 1
        streams.highest = stream
        streams.open[stream] = Response(self._initial_window, fields[0][1] == b"HEAD")
        self.send_headers(stream, fields, ended)
        return stream

    def is_open(self, stream: int) -> bool:
        """Whether one of the sides has not ended it."""
        return stream in self._streams.open

    def ping(self) -> None:
        """Have the server say something: RFC 9113 section 6.7."""
        if not self._closed:
            self._out.append(wire.frame(wire.PING, 0, 0, _PING))

    # -- frames

    def _section(self, stream: int, flags: int, parent: int | None, block: bytes) -> None:
        ended = flags & wire.END_STREAM != 0
        # hpack's own tuples say more than belongs into a message that may be kept.
        fields = [(name, value) for name, value in sections.decode(self._decoder, block)]
        self._allowance.spend(len(fields) // allowance.FIELDS)
        known = self._streams.open.get(stream)
        if known is None:
            self._streams.check_closed(stream, "HEADERS")
            self._allowance.spend(allowance.EMPTY)
            return
        known.check_open(stream)
        if sum([len(name) + len(value) + _PER_FIELD for name, value in fields]) > self._most_of_a_head:
            raise StreamFault(stream, ErrorCode.ENHANCE_YOUR_CALM, "header section is too large")
        try:
            if known.headed:
                self._trailers(stream, known, fields, ended)
            else:
                self._head(stream, known, fields, ended)
        except sections.Malformed as malformed:
            raise StreamFault(stream, ErrorCode.PROTOCOL_ERROR, str(malformed)) from None

    def _head(self, stream: int, known: Response, fields: Fields, ended: bool) -> None:
        status, length = sections.check_response(fields)
        regular = fields[1:]
        if status < _FINAL:
            if ended or status == _SWITCHING:
                raise sections.Malformed("interim response that ends the stream, or is none of HTTP/2")
            self._allowance.spend(allowance.EMPTY)
            self._events.append(InterimReceived(stream, status, regular))
            return
        known.headed = True
        bodiless = known.to_head or status in _BODILESS
        known.expected = length = 0 if bodiless else length
        if ended:
            if length:
                raise sections.Malformed("Content-Length without content")
            self._ended_by_peer(stream, known)
        self._events.append(ResponseReceived(stream, status, regular, length, bodiless, ended))

    def _data_of_response(self, stream: int, flags: int, payload: bytes) -> None:
        known = self._streams.open.get(stream)
        if known is not None and not known.headed and not known.remote_ended:
            # RFC 9113 section 8.1: content before its head. It counts for the window all the same.
            known.expected = -1
        self._data(stream, flags, payload)

    def _setting(self, name: int, value: int) -> None:
        if name == wire.ENABLE_PUSH and value:
            raise protocol_error("SETTINGS_ENABLE_PUSH of a server")
        if name == wire.MAX_CONCURRENT_STREAMS:
            self.most_streams = min(value, MOST_STREAMS)
            self._events.append(StreamsAllowed(self.most_streams))
        else:
            super()._setting(name, value)

    def _peer_leaves(self, last: int, code: int) -> None:
        self._leaving = True
        self.has_taken = last > 0
        # RFC 9113 section 6.8: nobody has looked at these, and they can be sent again.
        for later in [each for each in self._streams.open if each > last]:
            self._streams.reset(later)
            self._events.append(StreamReset(later, ErrorCode.REFUSED_STREAM, "", by_peer=True))
        self._events.append(ServerLeaving(code))

    _receivers = (
        _data_of_response,
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
