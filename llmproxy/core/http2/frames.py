"""Frames of HTTP/2, as bytes: RFC 9113 sections 4.1, 6 and 7."""

from __future__ import annotations

from enum import IntEnum
from struct import Struct

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)

END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITIZED = 0x20

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = (
    range(1, 7)
)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD_SIZE = 9
INITIAL_WINDOW = 65_535
LARGEST_WINDOW = LARGEST_STREAM = 2**31 - 1
SMALLEST_FRAME_LIMIT, LARGEST_FRAME_LIMIT = 2**14, 2**24 - 1

_HEAD = Struct(">BHBBL")
_PAIR = Struct(">HL")
_TWO = Struct(">LL")
_DEPENDENCY = 5


class ErrorCode(IntEnum):
    """RFC 9113 section 7."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD


class ConnectionFault(Exception):
    """Nothing on the connection can go on: RFC 9113 section 5.4.1."""

    def __init__(self, code: ErrorCode, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class StreamFault(Exception):
    """One stream cannot go on, the others can: RFC 9113 section 5.4.2."""

    def __init__(self, stream: int, code: ErrorCode, detail: str) -> None:
        super().__init__(detail)
        self.stream = stream
        self.code = code
        self.detail = detail


def protocol_error(detail: str) -> ConnectionFault:
    return ConnectionFault(ErrorCode.PROTOCOL_ERROR, detail)


def wrong_size(kind: str) -> ConnectionFault:
    return ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, f"size of a {kind} frame")


def frame(kind: int, flags: int, stream: int, payload: bytes | memoryview = b"") -> bytes:
    """One frame; C{payload} is not larger than the peer allows."""
    return frame_head(len(payload), kind, flags, stream) + payload


def frame_head(length: int, kind: int, flags: int, stream: int) -> bytes:
    """What comes before a payload of C{length} bytes."""
    return _HEAD.pack(length >> 16, length & 0xFFFF, kind, flags, stream)


def settings(values: dict[int, int]) -> bytes:
    return frame(SETTINGS, 0, 0, b"".join([_PAIR.pack(*pair) for pair in values.items()]))


def read_settings(payload: bytes) -> list[tuple[int, int]]:
    """
    Identifiers and values, in their order.

    @raise ConnectionFault: RFC 9113 section 6.5.2.
    """
    if len(payload) % _PAIR.size:
        raise wrong_size("SETTINGS")
    values = list(_PAIR.iter_unpack(payload))
    for name, value in values:
        if name == ENABLE_PUSH and value > 1:
            raise protocol_error("SETTINGS_ENABLE_PUSH")
        if name == INITIAL_WINDOW_SIZE and value > LARGEST_WINDOW:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "SETTINGS_INITIAL_WINDOW_SIZE")
        if name == MAX_FRAME_SIZE and not SMALLEST_FRAME_LIMIT <= value <= LARGEST_FRAME_LIMIT:
            raise protocol_error("SETTINGS_MAX_FRAME_SIZE")
    return values


def window_update(stream: int, increment: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, increment.to_bytes(4, "big"))


def reset(stream: int, code: int) -> bytes:
    return frame(RST_STREAM, 0, stream, code.to_bytes(4, "big"))


def goaway(last_stream: int, code: int, detail: str = "") -> bytes:
    return frame(GOAWAY, 0, 0, _TWO.pack(last_stream, code) + detail.encode())


def unpadded(flags: int, payload: bytes) -> bytes:
    """
    The payload of a DATA or HEADERS frame without its padding.

    @raise ConnectionFault: there is more padding than payload.
    """
    if not flags & PADDED:
        return payload
    if not payload:
        raise wrong_size("padded")
    end = len(payload) - payload[0]
    if end < 1:
        raise protocol_error("padding")
    return payload[1:end]


def without_priority(flags: int, payload: bytes) -> tuple[bytes, int | None]:
    """The rest of an unpadded HEADERS payload, and the stream that it depends on."""
    if not flags & PRIORITIZED:
        return payload, None
    if len(payload) < _DEPENDENCY:
        raise wrong_size("HEADERS")
    return payload[_DEPENDENCY:], number(payload)


def number(payload: bytes) -> int:
    """The first 31 bits: of a stream, or an increment."""
    return int.from_bytes(payload[:4], "big") & LARGEST_WINDOW
