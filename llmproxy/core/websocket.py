"""
Frames of a WebSocket, RFC 6455 section 5, read as they come and without extensions, but for one who can undo RFC 7692.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Literal

from attrs import define, frozen

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_DATA = frozenset({CONTINUATION, TEXT, BINARY})
_CONTROL = frozenset({CLOSE, PING, PONG})

GOING_AWAY = 1001
PROTOCOL_ERROR, UNSUPPORTED_DATA, POLICY_VIOLATION, TOO_BIG, TRY_AGAIN = 1002, 1003, 1008, 1009, 1013
"""Status codes of a close, RFC 6455 section 7.4.1 and the IANA registry."""

LONGEST_CONTROL = 125
"""Bytes of the payload of a control frame, section 5.5."""

_LONGEST_REASON = LONGEST_CONTROL - 2


class FrameError(Exception):
    """
    The bytes are no frames, or not in an order that section 5.4 allows.

    @ivar code: to close with.
    """

    def __init__(self, reason: str, code: int = PROTOCOL_ERROR) -> None:
        super().__init__(reason)
        self.code = code


@define
class Frame:
    """
    The head of a frame.

    @ivar size: bytes of its payload.
    @ivar mask: four bytes; C{b""} where it is not masked.
    @ivar deflated: it begins a message that is compressed, RFC 7692 section 6.
    """

    final: bool
    opcode: int
    size: int
    mask: bytes
    deflated: bool = False

    @property
    def control(self) -> bool:
        return self.opcode >= CLOSE


@frozen
class Part:
    """
    A part of a frame, with the bytes as they came.

    @ivar raw: of the head too where C{begins}.
    @ivar payload: without its mask.
    @ivar ends: the frame is complete.
    """

    frame: Frame
    raw: bytes
    payload: bytes
    begins: bool
    ends: bool


class FrameReader:
    """
    What one side sends. It holds the head of a frame at most.

    @param side: clients mask what they send, servers must not, section 5.1.
    @param deflates: messages can be compressed.
    @ivar between: a frame is complete and the next one has not begun.
    @ivar fragmented: a message has begun and is not complete.
    """

    def __init__(self, side: Literal["client", "server"], *, deflates: bool = False) -> None:
        self._masked = side == "client"
        self._deflates = deflates
        self._head = b""
        self._frame: Frame | None = None
        self._left = 0
        self.fragmented = False

    @property
    def between(self) -> bool:
        return self._frame is None and not self._head

    def feed(self, data: bytes) -> Iterator[Part]:
        """
        The parts of frames in C{data}.

        @raise FrameError: then nothing more may be fed.
        """
        at = 0
        while at < len(data):
            if self._frame is None:
                self._head += data[at : at + 1]
                at += 1
                frame = _parsed(self._head, self._masked, self._deflates)
                if frame is None:
                    continue
                self._begin(frame)
                head, self._head = self._head, b""
            else:
                frame, head = self._frame, b""
            raw = data[at : at + self._left]
            at += len(raw)
            yield self._part(frame, head, raw)

    def _begin(self, frame: Frame) -> None:
        if frame.control:
            if not frame.final or frame.size > LONGEST_CONTROL:
                raise FrameError("a control frame is fragmented or too long")
        elif (frame.opcode == CONTINUATION) != self.fragmented:
            raise FrameError("a message is not continued, or one that was not begun is")
        else:
            self.fragmented = not frame.final
        self._frame, self._left = frame, frame.size

    def _part(self, frame: Frame, head: bytes, raw: bytes) -> Part:
        done = frame.size - self._left
        self._left -= len(raw)
        if self._left == 0:
            self._frame = None
        payload = unmasked(raw, frame.mask, done) if frame.mask else raw
        return Part(frame, head + raw, payload, bool(head), self._left == 0)


def _parsed(head: bytes, masked: bool, deflates: bool) -> Frame | None:
    """The frame of a head; C{None} if more of it is to come."""
    if len(head) < 2:
        return None
    opcode, short = head[0] & 0x0F, head[1] & 0x7F
    # Only the first frame of a message says that it is compressed, RFC 7692 section 6.1.
    deflated = deflates and opcode in (TEXT, BINARY) and bool(head[0] & 0x40)
    if head[0] & (0x30 if deflated else 0x70) or opcode not in _DATA | _CONTROL:
        raise FrameError("a frame has a reserved bit or opcode")
    if bool(head[1] & 0x80) != masked:
        raise FrameError("a frame of a client is not masked" if masked else "a frame of a server is masked")
    extended = {126: 2, 127: 8}.get(short, 0)
    if len(head) < 2 + extended + 4 * masked:
        return None
    size = int.from_bytes(head[2 : 2 + extended], "big") if extended else short
    if extended and (size < (126 if extended == 2 else 1 << 16) or size >> 63):
        raise FrameError("the length of a frame is not in its shortest form")
    return Frame(bool(head[0] & 0x80), opcode, size, head[2 + extended :], deflated)


def unmasked(data: bytes, mask: bytes, done: int = 0) -> bytes:
    """
    Mask or unmask, section 5.3.

    @param done: bytes of the payload before C{data}.
    """
    if not data:
        return b""
    at = done % 4
    key = (mask[at:] + mask[:at]) * (len(data) // 4 + 1)
    whole = int.from_bytes(data, "little") ^ int.from_bytes(key[: len(data)], "little")
    return whole.to_bytes(len(data), "little")


def frame(opcode: int, payload: bytes, *, mask: bool = False) -> bytes:
    """A whole, final frame."""
    size = len(payload)
    key = os.urandom(4) if mask else b""
    bit = 0x80 if mask else 0
    if size < 126:
        length = bytes((bit | size,))
    elif size < 1 << 16:
        length = bytes((bit | 126,)) + size.to_bytes(2, "big")
    else:
        length = bytes((bit | 127,)) + size.to_bytes(8, "big")
    return bytes((0x80 | opcode,)) + length + key + (unmasked(payload, key) if mask else payload)


def close(code: int, reason: str = "", *, mask: bool = False) -> bytes:
    """A close frame; the reason is cut to what a control frame can hold."""
    words = reason.encode("utf-8", "replace")[:_LONGEST_REASON].decode("utf-8", "ignore").encode()
    return frame(CLOSE, code.to_bytes(2, "big") + words, mask=mask)
