"""
The persistence of one HTTP/1.1 connection: how long it is kept, read and waited for, RFC 9112 section 9. Pure.

The facts are noted by the channel as they come about; every question is answered from them alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .requestreader import RequestReader

NOTHING, IDLE, HEAD, BODY, CLOSING, SENDING = range(6)
"""
What a connection waits for: nothing of the client's; the next request; the rest of a head; more of a body that is
wanted; that the client takes what was written and closes; that it takes something, so that more can be written.
"""


class Upload(Protocol):
    """What is known of the reader of a body that is on its way."""

    @property
    def wants_data(self) -> bool:
        """There is room for more of it."""

    @property
    def unread(self) -> bool:
        """It is not read: not yet, or not any more."""

    @property
    def dropped(self) -> bool:
        """What is to come will not be read."""


class Persistence:
    """
    The facts, and the questions.

    @ivar client_keeps: the client will use the connection again after the request that is being answered.
    @ivar answering: a request is being received or answered.
    @ivar expecting: its client waits for C{100 Continue} before it sends the body.
    @ivar upload: the body that is on its way; C{None} where there is none, and once all of it is here.
    @ivar broken: what comes from the client makes no sense any more.
    @ivar ended: the client sends no more.
    @ivar closing: we have begun to close.
    @ivar congested: the client does not take what was written.
    @param reader: knows what has come and what is left.
    @param most_unread: bytes of a body that is not wanted which are read to keep the connection.
    @param most_ahead: bytes that are read ahead while a request is answered.
    """

    __slots__ = (
        "_most_ahead",
        "_most_unread",
        "_reader",
        "answering",
        "broken",
        "client_keeps",
        "closing",
        "congested",
        "ended",
        "expecting",
        "upload",
    )

    def __init__(self, reader: RequestReader, most_unread: int, most_ahead: int) -> None:
        self._reader = reader
        self._most_unread = most_unread
        self._most_ahead = most_ahead
        self.client_keeps = True
        self.answering = self.expecting = False
        self.upload: Upload | None = None
        self.broken = self.ended = self.closing = self.congested = False

    def may_keep(self) -> bool:
        """
        Whether the connection can be used after the response whose head is about to be written.

        RFC 9112 section 9.3: not, if more of the body is to come than is worth reading.
        """
        if not self.client_keeps or self.broken or (self.ended and not self._reader.has_head):
            return False
        upload = self.upload
        if upload is None:
            return True
        # RFC 9110 section 10.1.1: a client that expects 100 may send the body or not, and it would look like a request.
        return not self.expecting and (not upload.unread or self.reads_rest())

    def must_close(self) -> bool:
        """Whether the connection cannot be used any more, now that a response has ended that promised to keep it."""
        if self.broken or self.expecting or (self.ended and not self._reader.has_head):
            return True
        return self.upload is not None and not self.reads_rest()

    def reads_rest(self) -> bool:
        """Whether the rest of a body that is not wanted is small enough to be read, only to keep the connection."""
        left = self._reader.left
        return left is not None and left <= self._most_unread

    def may_take(self) -> bool:
        """Whether the next event may be read: more of a body, or the next request. Requests are answered one by one."""
        if self.upload is None and (self.answering or self.congested):
            return False
        return not (self.closing or self.broken)

    def ignores_data(self) -> bool:
        """Whether what comes is thrown away."""
        return self.closing or self.broken

    def is_unfinished(self) -> bool:
        """Whether a client that sends no more has left something incomplete: the rest will not come."""
        return self.upload is not None or not (self.answering or self.congested)

    def is_cut(self, waiting: int) -> bool:
        """Whether the body on its way stays incomplete if only C{waiting} bytes more will come."""
        left = self._reader.left
        return self.upload is not None and left is not None and left > len(self._reader.unread) + waiting

    def is_at_ease(self) -> bool:
        """Whether nothing is on its way from the client and all of it may come, as nearly always."""
        return self.upload is None and not (
            self._reader.unread or self.closing or self.broken or self.congested or self.ended
        )

    def wants_data(self) -> bool:
        """Whether the client may send more: what it sends is read."""
        if self.ignores_data():
            return True
        upload = self.upload
        if upload is not None:
            # Dropped while the response is under way: enough to see the end of a small one.
            return self.reads_rest() if upload.dropped and self.answering else upload.wants_data
        return len(self._reader.unread) <= self._most_ahead and (self.answering or not self.congested)

    def phase(self) -> int:
        """What is waited for, one of L{NOTHING} and its like."""
        if self.closing:
            return CLOSING
        if self.congested and self.answering:
            return SENDING
        upload = self.upload
        if upload is not None:
            return BODY if not self.answering or (upload.wants_data and not upload.unread) else NOTHING
        if self.answering:
            return NOTHING
        return HEAD if self._reader.unread and not self.congested else IDLE
