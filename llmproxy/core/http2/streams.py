"""Streams of a connection: their windows and lengths, and how those that are closed came to be so."""

from __future__ import annotations

from typing import Generic, TypeVar

from .frames import INITIAL_WINDOW, LARGEST_WINDOW, ConnectionFault, ErrorCode, StreamFault, protocol_error

_REMEMBERED = 1_000
"""Closed streams, of each of which frames may still be on their way."""

_ENDED, _RESET, _RESET_BY_PEER = range(3)


class ReceiveWindow:
    """
    What the peer may still send, and what is owed to it.

    An update goes out for half a window at a time.
    """

    __slots__ = ("_left", "_owed", "_step")

    def __init__(self, size: int) -> None:
        self._left = size
        self._step = size // 2
        self._owed = 0

    def took(self, size: int) -> bool:
        """Whether the peer was allowed to send that."""
        self._left -= size
        return self._left >= 0

    def returned(self, size: int) -> int:
        """What to tell the peer that it may send more; 0 for nothing yet."""
        self._owed += size
        if self._owed < self._step:
            return 0
        owed, self._owed = self._owed, 0
        self._left += owed
        return owed


class Stream:
    """
    One that is open, or half closed: RFC 9113 section 5.1.

    @ivar window: what can be sent; below 0 after the peer has made it smaller.
    @ivar expected: bytes of content that have to come yet; C{None} without a Content-Length.
    @param room: bytes that the peer may have under way.
    """

    __slots__ = ("expected", "local_ended", "received", "remote_ended", "window")

    def __init__(self, window: int, expected: int | None, room: int = INITIAL_WINDOW) -> None:
        self.window = window
        self.expected = expected
        self.received = ReceiveWindow(room)
        self.local_ended = self.remote_ended = False

    def check_open(self, stream: int) -> None:
        """@raise StreamFault: the peer has ended it, RFC 9113 section 5.1."""
        if self.remote_ended:
            raise StreamFault(stream, ErrorCode.STREAM_CLOSED, "frame behind the end of the stream")

    def check_data(self, stream: int, size: int, length: int, ended: bool) -> None:
        """
        Note what has come.

        @param size: with padding.
        @raise StreamFault: it is more than there is room for, or not of its Content-Length.
        """
        self.check_open(stream)
        if not self.received.took(size):
            raise StreamFault(stream, ErrorCode.FLOW_CONTROL_ERROR, "window of the stream")
        if self.expected is not None:
            self.expected -= length
            if self.expected < 0 or (ended and self.expected):
                raise StreamFault(stream, ErrorCode.PROTOCOL_ERROR, "content is not of its Content-Length")

    def widen(self, stream: int, increment: int) -> None:
        """@raise StreamFault: RFC 9113 sections 6.9 and 6.9.1."""
        if not increment:
            raise StreamFault(stream, ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE of nothing")
        self.window += increment
        if self.window > LARGEST_WINDOW:
            raise StreamFault(stream, ErrorCode.FLOW_CONTROL_ERROR, "window of the stream")


_Stream = TypeVar("_Stream", bound=Stream)


class Streams(Generic[_Stream]):
    """
    @ivar open: by number.
    @ivar highest: the last one that the client began.
    """

    __slots__ = ("_closed", "highest", "open")

    def __init__(self) -> None:
        self.open: dict[int, _Stream] = {}
        self.highest = 0
        self._closed: dict[int, int] = {}

    # -- ends

    def end(self, stream: int) -> None:
        """Both sides have ended it."""
        self._close(stream, _ENDED)

    def reset(self, stream: int) -> None:
        self._close(stream, _RESET)

    def reset_by_peer(self, stream: int) -> None:
        self._close(stream, _RESET_BY_PEER)

    def _close(self, stream: int, how: int) -> None:
        self.open.pop(stream, None)
        self._closed[stream] = how
        if len(self._closed) > _REMEMBERED:
            del self._closed[next(iter(self._closed))]

    # -- frames of streams that are not open

    def check_begun(self, stream: int, kind: str) -> None:
        """@raise ConnectionFault: RFC 9113 section 5.1, idle."""
        if not stream or stream > self.highest or not stream & 1:
            raise protocol_error(f"{kind} of a stream that has not begun")

    def check_closed(self, stream: int, kind: str) -> None:
        """
        DATA or HEADERS: nothing is wrong where they were on their way when we reset the stream.

        @raise ConnectionFault: it had ended, or not begun.
        @raise StreamFault: the peer had reset it.
        """
        self.check_begun(stream, kind)
        how = self._closed.get(stream)
        if how == _RESET_BY_PEER:
            raise StreamFault(stream, ErrorCode.STREAM_CLOSED, f"{kind} of a stream that was reset")
        if how == _ENDED:
            raise ConnectionFault(ErrorCode.STREAM_CLOSED, f"{kind} of a stream that has ended")
        if how is None:
            # Skipped, or forgotten.
            raise protocol_error(f"{kind} of a stream that is closed")

    def widen(self, change: int) -> None:
        """
        RFC 9113 section 6.9.2: the first window of all streams is larger, or smaller.

        @raise ConnectionFault: a window would be too large.
        """
        for known in self.open.values():
            known.window += change
            if known.window > LARGEST_WINDOW:
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "SETTINGS_INITIAL_WINDOW_SIZE")
