"""One side of an HTTP/2 connection, without I/O: what servers and clients have in common, RFC 9113."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from hpack import Decoder

from ...message import Fields
from . import allowance, sections
from . import frames as wire
from .allowance import Allowance
from .events import ConnectionFailed, DataReceived, Event, StreamReset, TrailersReceived, WindowOpened
from .framereader import FieldBlock, FrameReader
from .frames import ConnectionFault, ErrorCode, StreamFault, protocol_error, wrong_size
from .streams import ReceiveWindow, Stream, Streams


class Side:
    """
    Frames, windows, sections in pieces, and faults. What a section means, and which streams there may be, is the
    matter of those who inherit from it.

    @cvar _receivers: by the type of a frame.
    @cvar _reset_costs: of the peer's allowance, for a stream that it resets.
    @ivar _streams: those of the client, which are all that there are: nobody pushes.
    @param head_limit: bytes of a field section, encoded or not, each field counted with 32 more (RFC 9113 section
        6.5.2).
    @param preface: what the peer begins with, before its frames.
    @param room: bytes that may be under way to us, of all streams together.
    @param encode: makes bytes of the sections that we send.
    """

    _receivers: ClassVar[tuple[Callable[[Any, int, int, bytes], None], ...]]
    _reset_costs: ClassVar[int]

    def __init__(self, head_limit: int, preface: bytes, room: int, encode: Callable[[Fields], bytes]) -> None:
        self._encode = encode
        self._head_limit = head_limit
        self._decoder = Decoder(head_limit)
        self._streams: Streams[Any] = Streams()
        self._allowance = Allowance()
        self._window = wire.INITIAL_WINDOW
        self._initial_window = wire.INITIAL_WINDOW
        self._frame_limit = wire.SMALLEST_FRAME_LIMIT
        self._room = room
        self._received = ReceiveWindow(room)
        self._out: list[bytes | memoryview] = []
        self._reader = FrameReader(preface)
        self._settled = self._closed = False
        self._table_ends = True
        self._block: FieldBlock | None = None
        self._events: list[Event] = []

    # -- what may be asked

    @property
    def within_a_section(self) -> bool:
        """The rest of a field section has to come, and nothing else may."""
        return self._block is not None

    def receive_data(self, data: bytes, now: float) -> list[Event]:
        if self._closed:
            return []
        self._allowance.now = now
        try:
            self._reader.feed(data)
            while (frame := self._reader.next_frame()) is not None:
                self._frame(*frame)
        except ConnectionFault as fault:
            self._events.append(ConnectionFailed(fault.code, fault.detail))
            self.close_connection(fault.code, fault.detail)
        events, self._events = self._events, []
        return events

    def acknowledge_received_data(self, size: int, stream: int) -> None:
        if self._closed or not size:
            return
        self._give_back(size)
        known = self._streams.open.get(stream)
        if known is not None and not known.remote_ended:
            increment = known.received.returned(size)
            if increment:
                self._out.append(wire.window_update(stream, increment))

    def send_headers(self, stream: int, fields: Fields, end_stream: bool = False) -> None:
        if stream not in self._streams.open or self._closed:
            return
        block = self._encode(fields)
        if self._table_ends:
            self._table_ends, block = False, sections.NO_TABLE + block
        flags, kind, limit = wire.END_STREAM if end_stream else 0, wire.HEADERS, self._frame_limit
        while len(block) > limit:
            self._out.append(wire.frame(kind, flags, stream, block[:limit]))
            flags, kind, block = 0, wire.CONTINUATION, block[limit:]
        self._out.append(wire.frame(kind, flags | wire.END_HEADERS, stream, block))
        if end_stream:
            self._ended(stream)

    def local_flow_control_window(self, stream: int) -> int:
        known = self._streams.open.get(stream)
        return 0 if known is None else max(0, min(self._window, known.window, self._frame_limit))

    def send_data(self, stream: int, data: bytes | memoryview, end_stream: bool = False) -> None:
        known = self._streams.open.get(stream)
        if known is None or self._closed:
            return
        size = len(data)
        self._window -= size
        known.window -= size
        self._out.append(wire.frame_head(size, wire.DATA, wire.END_STREAM if end_stream else 0, stream))
        if size:
            # By itself: it is copied once, with all that leaves with it.
            self._out.append(data)
        self._allowance.earn(allowance.FOR_A_FRAME)
        if end_stream:
            self._ended(stream)

    def reset_stream(self, stream: int, code: int) -> None:
        if stream in self._streams.open and not self._closed:
            self._streams.reset(stream)
            self._out.append(wire.reset(stream, code))

    def close_connection(self, code: int = 0, detail: str = "") -> None:
        if not self._closed:
            self._closed = True
            self._reader.clear()
            self._block = None
            self._out.append(wire.goaway(self._last_stream(), code, detail))

    def _last_stream(self) -> int:
        """The last one that the peer began and we have looked at."""
        return 0

    def data_to_send(self) -> bytes:
        out, self._out = self._out, []
        return b"".join(out)

    # -- frames

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        block = self._block
        if block is not None and (kind != wire.CONTINUATION or stream != block.stream):
            raise protocol_error("frame within a field section")
        if not self._settled and (kind != wire.SETTINGS or flags & wire.ACK):
            raise protocol_error("SETTINGS must come first")
        if kind >= len(self._receivers):
            # RFC 9113 section 5.5.
            self._allowance.spend(allowance.IGNORED)
            return
        try:
            self._receivers[kind](self, stream, flags, payload)
        except StreamFault as fault:
            self._reset_for(fault)

    def _reset_for(self, fault: StreamFault) -> None:
        # A stream that was refused has cost no more than its head.
        refused = fault.code == ErrorCode.REFUSED_STREAM
        self._allowance.spend(allowance.EMPTY if refused else allowance.RESET)
        self._streams.reset(fault.stream)
        self._out.append(wire.reset(fault.stream, fault.code))
        self._events.append(StreamReset(fault.stream, fault.code, fault.detail, by_peer=False))

    def _data(self, stream: int, flags: int, payload: bytes) -> None:
        size = len(payload)
        if not self._received.took(size):
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "window of the connection")
        content, ended = wire.unpadded(flags, payload), flags & wire.END_STREAM != 0
        known = self._streams.open.get(stream)
        if known is None:
            self._give_back(size)
            self._streams.check_closed(stream, "DATA")
            self._allowance.spend(allowance.EMPTY)
            return
        try:
            known.check_data(stream, size, len(content), ended)
        except StreamFault:
            self._give_back(size)
            raise
        if ended:
            self._ended_by_peer(stream, known)
        elif not content:
            self._allowance.spend(allowance.EMPTY)
        self._events.append(DataReceived(stream, content, size, ended))

    def _headers(self, stream: int, flags: int, payload: bytes) -> None:
        block, parent = wire.without_priority(flags, wire.unpadded(flags, payload))
        if not stream & 1:
            raise protocol_error("stream of the server's")
        if flags & wire.END_HEADERS:
            self._section(stream, flags, parent, block)
        else:
            self._block = FieldBlock(stream, flags, parent, self._head_limit)
            self._collect(self._block, block)

    def _section(self, stream: int, flags: int, parent: int | None, block: bytes) -> None:
        """A whole field section has come."""
        raise NotImplementedError

    def _trailers(self, stream: int, known: Stream, fields: Fields, ended: bool) -> None:
        """The section that ends a message, after its content."""
        if not ended:
            raise sections.Malformed("trailers must end the stream")
        sections.check_trailers(fields)
        if known.expected:
            raise sections.Malformed("content is shorter than Content-Length")
        self._ended_by_peer(stream, known)
        self._events.append(TrailersReceived(stream, fields))

    def _continuation(self, stream: int, flags: int, payload: bytes) -> None:
        block = self._block
        if block is None:
            raise protocol_error("CONTINUATION of nothing")
        self._collect(block, payload)
        if flags & wire.END_HEADERS:
            self._block = None
            self._section(stream, block.flags, block.parent, block.joined())

    def _collect(self, block: FieldBlock, piece: bytes) -> None:
        self._allowance.spend(allowance.EMPTY)
        block.add(piece)

    def _priority(self, stream: int, flags: int, payload: bytes) -> None:
        self._allowance.spend(allowance.IGNORED)
        if not stream:
            raise protocol_error("PRIORITY of no stream")
        if len(payload) != 5 or wire.number(payload) == stream:
            fault = wrong_size("PRIORITY") if len(payload) != 5 else protocol_error("stream that depends on itself")
            if stream not in self._streams.open:
                raise fault
            raise StreamFault(stream, fault.code, fault.detail)

    def _rst_stream(self, stream: int, flags: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise wrong_size("RST_STREAM")
        self._streams.check_begun(stream, "RST_STREAM")
        if stream not in self._streams.open:
            self._allowance.spend(allowance.EMPTY)
            return
        self._allowance.spend(self._reset_costs)
        self._streams.reset_by_peer(stream)
        self._events.append(StreamReset(stream, int.from_bytes(payload, "big"), "", by_peer=True))

    def _settings(self, stream: int, flags: int, payload: bytes) -> None:
        self._allowance.spend(allowance.SETTING)
        if stream:
            raise protocol_error("SETTINGS of a stream")
        if flags & wire.ACK:
            if payload:
                raise wrong_size("SETTINGS")
            return
        self._settled = True
        for name, value in wire.read_settings(payload):
            self._setting(name, value)
        self._out.append(wire.frame(wire.SETTINGS, wire.ACK, 0))

    def _setting(self, name: int, value: int) -> None:
        if name == wire.INITIAL_WINDOW_SIZE:
            self._streams.widen(value - self._initial_window)
            self._initial_window = value
            self._events.append(WindowOpened(0))
        elif name == wire.MAX_FRAME_SIZE:
            # Larger frames would only make the turns of the others longer.
            self._frame_limit = wire.SMALLEST_FRAME_LIMIT
        elif name == wire.HEADER_TABLE_SIZE:
            self._table_ends = True

    def _ping(self, stream: int, flags: int, payload: bytes) -> None:
        self._allowance.spend(allowance.PINGED)
        if stream:
            raise protocol_error("PING of a stream")
        if len(payload) != 8:
            raise wrong_size("PING")
        if not flags & wire.ACK:
            self._out.append(wire.frame(wire.PING, wire.ACK, 0, payload))

    def _push_promise(self, stream: int, flags: int, payload: bytes) -> None:
        raise protocol_error("PUSH_PROMISE, which nobody takes")

    def _goaway(self, stream: int, flags: int, payload: bytes) -> None:
        self._allowance.spend(allowance.SETTING)
        if stream:
            raise protocol_error("GOAWAY of a stream")
        if len(payload) < 8:
            raise wrong_size("GOAWAY")
        self._peer_leaves(wire.number(payload), int.from_bytes(payload[4:8], "big"))

    def _peer_leaves(self, last: int, code: int) -> None:
        """It takes no streams after C{last}."""
        raise NotImplementedError

    def _window_update(self, stream: int, flags: int, payload: bytes) -> None:
        self._allowance.spend(allowance.UPDATE)
        if len(payload) != 4:
            raise wrong_size("WINDOW_UPDATE")
        increment = wire.number(payload)
        if not stream:
            self._widen_all(increment)
            return
        self._streams.check_begun(stream, "WINDOW_UPDATE")
        known = self._streams.open.get(stream)
        if known is not None:
            known.widen(stream, increment)
            self._events.append(WindowOpened(stream))

    def _widen_all(self, increment: int) -> None:
        if not increment:
            raise protocol_error("WINDOW_UPDATE of nothing")
        self._window += increment
        if self._window > wire.LARGEST_WINDOW:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "window of the connection")
        self._events.append(WindowOpened(0))

    # -- ends

    def _ended(self, stream: int) -> None:
        """We have sent all of it."""
        known = self._streams.open[stream]
        known.local_ended = True
        if known.remote_ended:
            self._streams.end(stream)
        self._allowance.earn(allowance.FOR_AN_ANSWER)

    def _ended_by_peer(self, stream: int, known: Stream) -> None:
        known.remote_ended = True
        if known.local_ended:
            self._streams.end(stream)

    def _give_back(self, size: int) -> None:
        increment = self._received.returned(size)
        if increment:
            self._out.append(wire.window_update(0, increment))
