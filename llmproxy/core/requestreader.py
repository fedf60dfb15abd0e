"""
A reader of HTTP/1.1 requests: bytes in; heads, pieces of bodies, their ends, or a refusal out. No transport, no time::

    head --a head without a body--> head
      |                               ^
      +--a head with one--> body --its end

The caller asks for the next event when it wants it: a request that waits behind one that is being answered stays in
bytes, unread. A refusal is raised, and nothing can be read after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .chunked import ChunkedReader, SizedReader
from .http11 import CHUNKED, Head, check_partial, fields_too_large, read_head, target_too_long

if TYPE_CHECKING:
    from ..message import Fields
    from .headmemory import HeadMemory


class Piece:
    """
    A piece of a body.

    @ivar data: content, without its framing; may be empty.
    @ivar ended: it is the last one.
    @ivar trailers: the trailer section, with the last one.
    """

    __slots__ = ("data", "ended", "trailers")

    def __init__(self, data: bytes, ended: bool = False, trailers: Fields = ()) -> None:
        self.data = data
        self.ended = ended
        self.trailers = trailers


class RequestReader:
    """
    @ivar unread: bytes that were received and not read yet.
    @param target_limit: bytes of a request target.
    @param head_limit: bytes of a head, and of a trailer section.
    @param fields_limit: how many fields a head may have.
    @param memory: reads heads with these limits; C{None} where nothing is remembered.
    """

    __slots__ = ("_body", "_fields_limit", "_head_limit", "_memory", "_target_limit", "unread")

    def __init__(self, target_limit: int, head_limit: int, fields_limit: int, memory: HeadMemory | None = None) -> None:
        self._memory = memory
        self._target_limit = target_limit
        self._head_limit = head_limit
        self._fields_limit = fields_limit
        self._body: SizedReader | ChunkedReader | None = None
        self.unread = b""

    # -- bytes in

    def feed(self, data: bytes) -> None:
        """More has come."""
        self.unread = self.unread + data if self.unread else data

    def take(self) -> bytes:
        """The bytes that were not read, for another protocol, or to be thrown away."""
        unread, self.unread = self.unread, b""
        return unread

    # -- events out

    def next_head(self) -> Head | None:
        """
        The head of the next request; C{None} if more bytes have to come.

        After one with a body comes L{whole_body} or L{begin_body}, and after that L{next_piece} until it has ended.

        @raise llmproxy.core.http11.Refusal: for what is no HTTP/1.1, could be read in two ways, or is too large.
        """
        data = self.unread
        if data[:1] == b"\r":
            data = self.unread = _without_empty_lines(data)
        end = data.find(b"\r\n\r\n") + 4
        if end < 4 or end > self._head_limit:
            self._check_partial(data, end)
            return None
        if end == len(data):
            self.unread = b""
        else:
            self.unread = data[end:]
            data = data[:end]
        if self._memory is not None:
            return self._memory.read(data)
        return read_head(data, self._target_limit, self._fields_limit)

    def whole_body(self, length: int) -> bytes | None:
        """All of a body that came with its head; C{None} where there is more to come, or where it is chunked."""
        unread = self.unread
        content = unread[:length]
        if length == CHUNKED or len(content) < length:
            return None
        self.unread = unread[length:]
        return content

    def begin_body(self, length: int) -> None:
        """
        From now on pieces of a body are read.

        @param length: in bytes, or L{CHUNKED}.
        """
        self._body = ChunkedReader(self._head_limit) if length == CHUNKED else SizedReader(length)

    def next_piece(self) -> Piece | None:
        """
        The next piece of the body that was begun; C{None} if more bytes have to come.

        @raise llmproxy.core.http11.Refusal: for what is not the chunked coding, or too large a trailer section.
        """
        body, data = self._body, self.take()
        if body is None or not data:
            return None
        content = body.feed(data)
        if not body.ended:
            return Piece(content)
        self.unread = body.rest
        self._body = None
        return Piece(content, True, body.trailers)

    # -- what is known of the rest

    @property
    def left(self) -> int | None:
        """Bytes that are to come of the body; C{None} where it is chunked: that cannot be known. 0 without a body."""
        return 0 if self._body is None else self._body.left

    @property
    def has_head(self) -> bool:
        """Whether the end of a head is among what was not read."""
        return b"\r\n\r\n" in self.unread

    # -- reading

    def _check_partial(self, data: bytes, end: int) -> None:
        if data in (b"", b"\r"):
            return
        check_partial(data, self._target_limit, self._head_limit)
        if end > self._head_limit or len(data) > self._head_limit:
            target = data.partition(b"\r\n")[0].split(b" ", 2)[1:2]
            raise target_too_long() if target and len(target[0]) > self._target_limit else fields_too_large()


def _without_empty_lines(data: bytes) -> bytes:
    """RFC 9112 section 2.2: empty lines before the request line are passed over."""
    at = 0
    while data.startswith(b"\r\n", at):
        at += 2
    return data[at:]
