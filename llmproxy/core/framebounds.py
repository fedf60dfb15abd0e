"""
Bounds of WebSocket frames, RFC 6455 section 5.2: of any, with extensions or not.

A frame of our own can stand between two frames of the other side, and nowhere else.
"""

from __future__ import annotations

_LONGEST_HEAD = 14
_CLOSE = 0x8


class FrameBounds:
    """
    Follows what passes, in pieces of any size, and holds the head of a frame at most.

    @ivar closed: a close frame has passed: nothing may follow it.
    """

    __slots__ = ("_head", "_left", "closed")

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        self.closed = False

    @property
    def between(self) -> bool:
        """A frame is complete, and the next one has not begun."""
        return not self._left and not self._head

    def feed(self, data: bytes) -> None:
        at, size = 0, len(data)
        while at < size:
            if self._left:
                step = min(self._left, size - at)
                self._left -= step
                at += step
                continue
            before = len(self._head)
            head = self._head + data[at : at + _LONGEST_HEAD - before]
            length = _head_length(head)
            if len(head) < length:
                self._head = head
                return
            self._head = b""
            self._left = _payload(head)
            self.closed = self.closed or head[0] & 0x0F == _CLOSE
            at += length - before


def _head_length(head: bytes) -> int:
    if len(head) < 2:
        return 2
    return 2 + {126: 2, 127: 8}.get(head[1] & 0x7F, 0) + (4 if head[1] & 0x80 else 0)


def _payload(head: bytes) -> int:
    short = head[1] & 0x7F
    if short < 126:
        return short
    return int.from_bytes(head[2:4] if short == 126 else head[2:10], "big")
