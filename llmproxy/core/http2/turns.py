"""Turns of the streams of a connection: one frame each, in a circle."""

from __future__ import annotations

from collections.abc import Callable


class Turns:
    """
    Streams that have something to send and may.

    RFC 9113 section 5.3: priorities are only a hint, and those of RFC 7540 are deprecated. All answers of an LLM
    API are alike, so that each gets its turn.
    """

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[int, None] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, stream: int) -> None:
        """It waits for its turn, behind the others; one that waits already stays where it is."""
        self._waiting.setdefault(stream)

    def remove(self, stream: int) -> None:
        """It has nothing to send, or may not."""
        self._waiting.pop(stream, None)

    def take(self, send: Callable[[int], bool], may_go_on: Callable[[], bool]) -> None:
        """
        Let each send one frame after another, until none waits or C{may_go_on} is false.

        @param send: sends one frame of a stream; whether it has more, and may send that.
        """
        waiting = self._waiting
        while waiting and may_go_on():
            stream = next(iter(waiting))
            del waiting[stream]
            if send(stream):
                waiting.setdefault(stream)
