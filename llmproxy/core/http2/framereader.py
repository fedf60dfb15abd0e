"""A reader of HTTP/2: frames out of bytes, RFC 9113 sections 3.4 and 4, and field sections out of frames."""

from __future__ import annotations

from .frames import HEAD_SIZE, PREFACE, SMALLEST_FRAME_LIMIT, ConnectionFault, ErrorCode, number, protocol_error

Frame = tuple[int, int, int, bytes]
"""Its type, its flags, its stream, and its payload."""


class FrameReader:
    """
    What a peer sends, frame by frame. It holds less than one frame of the largest size between two calls of L{feed}.

    @param preface: what comes before the first one.
    """

    __slots__ = ("_at", "_buffer", "_preface")

    def __init__(self, preface: bytes = PREFACE) -> None:
        self._buffer = b""
        self._at = 0
        self._preface = preface

    @property
    def unread(self) -> int:
        """Bytes that are held."""
        return len(self._buffer) - self._at

    def feed(self, data: bytes) -> None:
        """
        More has come. All frames before it have been taken.

        @raise ConnectionFault: it does not begin as HTTP/2 does.
        """
        self._buffer = self._buffer[self._at :] + data if self._buffer else data
        self._at = 0
        if self._preface:
            self._skip_preface()

    def next_frame(self) -> Frame | None:
        """
        The next frame; C{None} if more bytes have to come.

        @raise ConnectionFault: it is too large.
        """
        buffer, at = self._buffer, self._at
        start = at + HEAD_SIZE
        if start > len(buffer):
            return None
        length = buffer[at] << 16 | buffer[at + 1] << 8 | buffer[at + 2]
        if length > SMALLEST_FRAME_LIMIT:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "frame is too large")
        end = start + length
        if end > len(buffer):
            return None
        self._at = end
        return buffer[at + 3], buffer[at + 4], number(buffer[at + 5 : start]), buffer[start:end]

    def clear(self) -> None:
        """Nothing more is read."""
        self._buffer = b""
        self._at = 0

    def _skip_preface(self) -> None:
        buffer, preface = self._buffer, self._preface
        if not buffer.startswith(preface) and not preface.startswith(buffer):
            raise protocol_error("this is not HTTP/2")
        self._at = min(len(preface), len(buffer))
        self._preface = preface[self._at :]


class FieldBlock:
    """
    A field section in several frames, until the last one has come: RFC 9113 section 6.10.

    @ivar flags: of its first frame.
    @ivar parent: the stream that this one depends on, if that was said.
    @param limit: bytes, of all pieces together.
    """

    __slots__ = ("_limit", "_pieces", "_size", "flags", "parent", "stream")

    def __init__(self, stream: int, flags: int, parent: int | None, limit: int) -> None:
        self.stream = stream
        self.flags = flags
        self.parent = parent
        self._limit = limit
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> None:
        """@raise ConnectionFault: it has become too large."""
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > self._limit:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "header section is too large")

    def joined(self) -> bytes:
        """All of it, encoded."""
        return b"".join(self._pieces)
