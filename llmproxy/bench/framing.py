"""
Framing of HTTP/1.1 responses: the least that a load generator must know, as fast as Python can.

It is lenient where the proxy is strict. What it must never do is take a part for the whole.
"""

from __future__ import annotations

from typing import NamedTuple

HEAD_LIMIT = 65536
"""A head, or a line of a chunked body, that is longer is no answer."""


_SIZES = {b"%x" % size: size + 2 for size in range(1, 4096)}
"""What follows the line of a small chunk, its own line end included."""


class Malformed(ValueError):
    """The bytes are no HTTP/1.1 response."""


class Head(NamedTuple):
    """
    @ivar length: of the body in bytes; C{None} if chunked or until the connection closes.
    @ivar close: whether the connection ends with this response.
    @ivar size: bytes that the head took, its empty line included.
    @ivar hit: a cache on the way answered, by C{X-PROXY-CACHE} or by C{Cache-Status} (RFC 9211).
    """

    status: int
    length: int | None
    chunked: bool
    close: bool
    size: int
    hit: bool = False


def _value_of(head: bytes, name: bytes) -> bytes | None:
    """The first value of a field, in a head that has been made lower case."""
    at = head.find(b"\r\n" + name + b":")
    if at < 0:
        return None
    start = at + len(name) + 3
    return head[start : head.index(b"\r\n", start)].strip()


def parse_head(data: bytes) -> Head | None:
    """
    The head at the start of C{data}, or C{None} if it is not complete.

    @raise Malformed: no HTTP/1.1 response begins so.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        if len(data) > HEAD_LIMIT:
            raise Malformed("a head without an end")
        return None
    head = data[: end + 2].lower()
    if not head.startswith(b"http/1.") or not head[9:12].isdigit():
        raise Malformed("no status line")
    status = int(head[9:12])
    connection = _value_of(head, b"connection") or b""
    close = b"close" in connection or (head[7:8] == b"0" and b"keep-alive" not in connection)
    hit = _is_hit(head)
    if status in (204, 304) or status < 200:
        return Head(status, 0, False, close, end + 4, hit)
    if b"chunked" in (_value_of(head, b"transfer-encoding") or b""):
        return Head(status, None, True, close, end + 4, hit)
    length = _value_of(head, b"content-length")
    if length is None:
        return Head(status, None, False, True, end + 4, hit)
    if not length.isdigit():
        raise Malformed("no length")
    return Head(status, int(length), False, close, end + 4, hit)


def _is_hit(head: bytes) -> bool:
    if _value_of(head, b"x-proxy-cache") in (b"hit", b"conditional-hit"):
        return True
    parameters = (_value_of(head, b"cache-status") or b"").replace(b" ", b"").split(b";")
    return b"hit" in parameters


class Chunks:
    """
    Takes the chunked coding off, RFC 9112 section 7.1.

    @ivar done: the last chunk and the trailers were read.
    @ivar rest: what followed them.
    """

    __slots__ = ("_buffer", "_left", "_trailers", "done", "rest")

    def __init__(self) -> None:
        self._buffer = b""
        self._left = 0
        self._trailers = False
        self.done = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """
        The content in C{data}.

        @raise Malformed: this is not the chunked coding.
        """
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        elif not self._left and not self._trailers and data.endswith(b"\n\n\r\n"):
            # An event alone in its chunk, which is nearly all that a stream brings.
            line, _, rest = data.partition(b"\r\n")
            if line in _SIZES and len(rest) == _SIZES[line]:
                return rest[:-2]
        content: list[bytes] = []
        at = 0
        while not self.done:
            after = self._step(data, at, content)
            if after is None:
                break
            at = after
        if self.done:
            self.rest = data[at:]
        return content[0] if len(content) == 1 else b"".join(content)

    def _step(self, data: bytes, at: int, content: list[bytes]) -> int | None:
        """Read one chunk, a piece of one, or one line; C{None} when more bytes are needed."""
        if self._left > 2:
            return self._content(data, at, content)
        if self._left:
            return self._line_end(data, at)
        end = data.find(b"\r\n", at)
        if end < 0:
            self._wait(data, at)
            return None
        if self._trailers:
            self.done = end == at
        else:
            self._begin(data[at:end])
        return end + 2

    def _content(self, data: bytes, at: int, content: list[bytes]) -> int | None:
        """C{_left} counts the line end after the chunk too."""
        if at == len(data):
            return None
        piece = data[at : at + self._left - 2]
        content.append(piece)
        self._left -= len(piece)
        return at + len(piece)

    def _line_end(self, data: bytes, at: int) -> int | None:
        if len(data) - at < 2:
            self._wait(data, at)
            return None
        if data[at : at + 2] != b"\r\n":
            raise Malformed("a chunk that does not end where it should")
        self._left = 0
        return at + 2

    def _wait(self, data: bytes, at: int) -> None:
        self._buffer = data[at:]
        if len(self._buffer) > HEAD_LIMIT:
            raise Malformed("a line without an end")

    def _begin(self, line: bytes) -> None:
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            raise Malformed("no chunk size") from None
        if size < 0:
            raise Malformed("no chunk size")
        if size:
            self._left = size + 2
        else:
            self._trailers = True


class Response:
    """
    One response, fed as it arrives. Interim responses (1xx) are skipped.

    @ivar head: the final head, once it is complete.
    @ivar received: bytes of content so far.
    @ivar complete: the end was seen.
    @ivar rest: what came after the end.
    """

    __slots__ = ("_buffer", "_chunks", "complete", "head", "received", "rest")

    def __init__(self) -> None:
        self._buffer = b""
        self._chunks: Chunks | None = None
        self.head: Head | None = None
        self.received = 0
        self.complete = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """
        The content in C{data}.

        @raise Malformed: this is no response.
        """
        if self.head is None:
            data = self._buffer + data
            while True:
                head = parse_head(data)
                if head is None:
                    self._buffer = data
                    return b""
                data = data[head.size :]
                if head.status >= 200:
                    break
            self._start(head)
        return self._content(data)

    def _start(self, head: Head) -> None:
        self.head = head
        self._buffer = b""
        if head.chunked:
            self._chunks = Chunks()

    def _content(self, data: bytes) -> bytes:
        if self._chunks is not None:
            data = self._chunks.feed(data)
            self.complete = self._chunks.done
            self.rest = self._chunks.rest
        elif self.head is not None and self.head.length is not None:
            left = self.head.length - self.received
            data, self.rest = data[:left], data[left:]
            self.complete = len(data) == left
        self.received += len(data)
        return data

    def closed(self) -> bool:
        """The peer closed: whether what came before is a whole response."""
        if self.head is not None and self.head.length is None and not self.head.chunked:
            self.complete = True
        return self.complete
