"""
A reader of C{multipart/form-data} that takes its bytes in pieces.

Stricter than RFC 2046 section 5.1.1: no preamble, no epilogue, no blanks after a delimiter, and a boundary stands
nowhere but in its delimiters; because what one reader takes for content is a field to a more generous one.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

from attrs import frozen

from ...errors import BadRequest
from ..models import named
from .disposition import LONGEST_HEAD, PartHead, part_head
from .steps import SLICE, Steps
from .whitelist import LONGEST_VALUE, Fields, ParamRule, Whitelist

MOST_PARTS = 1000
"""Of a body; servers take as many."""


@frozen
class Content:
    """
    @ivar data: some of the content of a part.
    """

    data: bytes


@frozen
class PartEnd:
    """The end of a part."""


Event = PartHead | Content | PartEnd


class MultipartReader:
    """
    @param boundary: L{llmproxy.core.inspection.contenttype.MediaType.boundary}.
    """

    def __init__(self, boundary: bytes) -> None:
        self._boundary = b"--" + boundary
        self._held = b""
        self._at = 0
        self._read = self._first
        self._parts = 0
        self._left: int | None = None

    def feed(self, data: bytes) -> Iterator[Event]:
        """
        What C{data} adds. At most the head of a part, or what could be the begin of a delimiter, is held back.

        @raise BadRequest: the body is malformed; no more is to be fed.
        """
        self._held += data
        reading = None
        while reading != self._read:
            reading = self._read
            yield from reading()
        # Not after each part: a piece can hold a thousand.
        self._held, self._at = self._held[self._at :], 0

    def end(self) -> None:
        """
        @raise BadRequest: the body was not complete.
        """
        if self._read != self._epilogue or self._held not in (b"", b"\r\n"):
            raise BadRequest("the multipart body is not complete, or goes on after its end")

    # -- what is read at the moment

    def _first(self) -> Iterator[Event]:
        length = len(self._boundary)
        if not self._boundary.startswith(self._held[:length]):
            raise BadRequest("the multipart body does not begin with its delimiter")
        if len(self._held) >= length:
            self._at = length
            self._read = self._after_boundary
        return iter(())

    def _after_boundary(self) -> Iterator[Event]:
        after = self._held[self._at : self._at + 2]
        if after == b"\r\n":
            self._begin_part()
        elif after == b"--":
            self._at += 2
            self._read = self._epilogue
        elif len(after) == 2:
            raise BadRequest("a multipart delimiter is malformed")
        return iter(())

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise BadRequest(f"the multipart body has more than {MOST_PARTS} parts")
        # The line break of the delimiter is kept: a head without lines ends at once.
        self._read = self._head

    def _head(self) -> Iterator[Event]:
        end = self._held.find(b"\r\n\r\n", self._at, self._at + LONGEST_HEAD)
        if end >= 0:
            text = self._held[self._at + 2 : end]
            if self._boundary in text:
                # Django parts the body there.
                raise BadRequest("the boundary stands in the head of a part")
            head = part_head(text)
            self._at = end + 4
            self._left = head.length
            self._read = self._content
            yield head
        elif len(self._held) - self._at >= LONGEST_HEAD:
            raise BadRequest(f"the head of a part is longer than {LONGEST_HEAD} bytes")

    def _content(self) -> Iterator[Event]:
        begin, at = self._at, self._held.find(self._boundary, self._at)
        if at < 0:
            # All that could be the begin of a delimiter is kept, with the line break before it.
            self._at = max(begin, len(self._held) - len(self._boundary) - 1)
            yield from self._data(begin, self._at)
            return
        if at < begin + 2 or self._held[at - 2 : at] != b"\r\n":
            raise BadRequest("a multipart delimiter does not stand on a line of its own")
        self._at = at + len(self._boundary)
        self._read = self._after_boundary
        yield from self._data(begin, at - 2)
        if self._left:
            raise _wrong_length()
        yield PartEnd()

    def _data(self, begin: int, end: int) -> Iterator[Event]:
        if begin == end:
            return
        if self._left is not None:
            self._left -= end - begin
            if self._left < 0:
                raise _wrong_length()
        yield Content(self._held[begin:end])

    def _epilogue(self) -> Iterator[Event]:
        if not b"\r\n".startswith(self._held[self._at :]):
            raise BadRequest("the multipart body goes on after its end")
        return iter(())


def _wrong_length() -> BadRequest:
    return BadRequest("the Content-Length of a part is not that of its content")


class FieldChecker:
    """
    Checks the fields of a multipart body, whose events it is given in order.

    @ivar model: the name of a model, once it was read.

    Also as if their names were percent-decoded: browsers write quotes that way, so there are readers that undo it.
    """

    def __init__(self, whitelist: Whitelist) -> None:
        self._fields = Fields(whitelist)
        self._rules: list[ParamRule] = []
        self._value = b""
        self._is_model = False
        self.model = ""

    def event(self, event: Event) -> None:
        """
        @raise ParamNotAllowed: a value matches no pattern.
        @raise BadRequest: a field that a rule names stands twice, or could be read in two ways.
        """
        if isinstance(event, PartHead):
            self._begin(event)
        elif self._rules or self._is_model:
            if isinstance(event, Content):
                # One byte more than can be allowed is enough to know that it is not.
                self._value += event.data[: 4 * LONGEST_VALUE + 1 - len(self._value)]
            else:
                self._end()

    def _begin(self, head: PartHead) -> None:
        self._value = b""
        self._is_model = head.name == "model" and head.filename is None
        self._rules = list(self._fields.rules(head.name))
        plain = unquote(head.name)
        if plain != head.name:
            self._rules += self._fields.rules(plain)
        if head.name == "_charset_":
            raise BadRequest("the multipart body names a charset in a field, which is not known to all servers")
        if all(rule.anything for rule in self._rules):
            self._rules = []
        elif head.filename is not None:
            raise next(rule for rule in self._rules if not rule.anything).refusal("(a file)")
        elif not head.plain:
            raise BadRequest(f"the field '{head.name}' is not plain text in UTF-8")

    def _end(self) -> None:
        if self._is_model:
            self.model = named(self._value.decode("utf-8", "replace"))
        if self._rules:
            self._judge()

    def _judge(self) -> None:
        try:
            value = self._value.decode("utf-8")
        except UnicodeDecodeError:
            raise BadRequest("the value of a field is too long, or not UTF-8") from None
        for rule in self._rules:
            rule.check(value)


def inspection(body: bytes, boundary: bytes, whitelist: Whitelist) -> Steps[str]:
    """
    Check the fields of a whole body.

    @return: the C{model}; C{""} for none.
    @raise ParamNotAllowed: a value matches no pattern.
    @raise BadRequest: the body is malformed, or has too many parts.
    """
    reader = MultipartReader(boundary)
    checker = FieldChecker(whitelist)
    for at in range(0, len(body), SLICE):
        for event in reader.feed(body[at : at + SLICE]):
            checker.event(event)
        yield
    reader.end()
    return checker.model
