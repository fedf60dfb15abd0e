"""Multipart bodies, judged as they pass: their fields, and the lines of a batch file among them."""

from __future__ import annotations

from collections.abc import Callable

from ...errors import BadRequest, ProxyError
from ..gathering import Gathered
from ..pathmodels import named_below
from . import folding, jsonbody
from .batchlines import BatchLines
from .disposition import PartHead
from .endpointrules import EndpointRules, Rules
from .multipart import Content, Event, FieldChecker, MultipartReader
from .steps import SLICE, Steps
from .whitelist import Node

LONGEST_PURPOSE = 1024
LONGEST_OBJECT = 1024 * 1024
"""Bytes of a field that is a JSON object with a parameter in it, C{session} of a call of Realtime."""

_BLANK = b" \t\r\n\xef\xbb\xbf"
_FILES = frozenset({"files"})
_BATCH = "batch"
_EVENTS_A_SLICE = 64


class MultipartJudge:
    """
    @param path: of the request.
    @param room: see L{BatchLines}.
    """

    def __init__(
        self, boundary: bytes, path: bytes, rules: Rules, everywhere: EndpointRules, room: Callable[[int], object]
    ) -> None:
        self._reader = MultipartReader(boundary)
        self._checker = FieldChecker(rules.bodies)
        self._parts: list[_Part] = [_Fields(self._checker), _Objects(rules)]
        if (rules.lines or rules.calls is not None) and named_below(path, _FILES):
            self._parts.append(_BatchFile(lambda: BatchLines(rules, everywhere, room)))

    @property
    def model(self) -> str:
        """The C{model} of the form, once it has passed; C{""} for none."""
        return self._checker.model

    def feed(self, data: bytes) -> Steps[None]:
        """
        @raise ProxyError: what the upload is to be broken off with.
        """
        for at in range(0, len(data), SLICE):
            for number, event in enumerate(self._reader.feed(data[at : at + SLICE]), 1):
                # A piece can hold a thousand parts.
                if number % _EVENTS_A_SLICE == 0:
                    yield
                for part in self._parts:
                    yield from part.event(event)
            yield

    def end(self) -> Steps[None]:
        """
        @raise BadRequest: the body is not complete.
        """
        self._reader.end()
        for part in self._parts:
            yield from part.end()


class _Part:
    """What is asked of the parts of a body."""

    def event(self, event: Event) -> Steps[None]:
        yield from ()

    def end(self) -> Steps[None]:
        yield from ()


class _Fields(_Part):
    """The fields that are parameters."""

    def __init__(self, checker: FieldChecker) -> None:
        self._checker = checker

    def event(self, event: Event) -> Steps[None]:
        self._checker.event(event)
        yield from ()


class _Objects(_Part):
    """The fields that are JSON objects, with parameters in them; a text or a file of the same name is passed over."""

    def __init__(self, rules: Rules) -> None:
        self._members = {name: node for name, node in rules.bodies.root.members.items() if node.members}
        self._node: Node | None = None
        self._begun = False
        self._value = Gathered()

    def event(self, event: Event) -> Steps[None]:
        if isinstance(event, PartHead):
            self._node = None if "[" in event.name else self._members.get(folding.field(event.name))
            self._begun = False
        elif self._node is not None:
            if isinstance(event, Content):
                if not self._begun and (begin := event.data.lstrip(_BLANK)):
                    self._begun = True
                    if begin[:1] != b"{":
                        self._node = None
                        return
                self._value.add(event.data)
                if self._value.size > LONGEST_OBJECT:
                    raise BadRequest(f"a field with JSON is longer than {LONGEST_OBJECT} bytes")
            elif self._begun:
                yield from jsonbody.inspection(self._value.joined(), self._node)


class _BatchFile(_Part):
    """
    The files of an upload that is, or may be, a batch.

    C{purpose} may stand behind the file: then that is judged as if it were a batch, and what was found counts when the
    purpose is known. Without one a file whose first line begins like an object is taken for a batch.
    """

    def __init__(self, lines: Callable[[], BatchLines]) -> None:
        self._make = lines
        self._lines: BatchLines | None = None
        self._purpose: str | None = None
        self._in_purpose = False
        self._text = b""
        self._objects = False
        self._fault: ProxyError | None = None

    def event(self, event: Event) -> Steps[None]:
        if isinstance(event, PartHead):
            self._begin(event)
        elif isinstance(event, Content):
            if self._in_purpose:
                self._text += event.data[: LONGEST_PURPOSE + 1 - len(self._text)]
            elif self._lines is not None:
                yield from self._judged(self._lines.feed(event.data))
        elif self._in_purpose:
            self._settle()
        elif self._lines is not None:
            yield from self._judged(self._lines.end())

    def end(self) -> Steps[None]:
        if self._purpose is None and self._objects and self._fault is not None:
            raise self._fault
        yield from ()

    def _begin(self, head: PartHead) -> None:
        self._in_purpose = folding.field(head.name) == "purpose"
        self._text = b""
        if self._in_purpose and (self._purpose is not None or head.filename is not None):
            raise BadRequest("'purpose' stands twice in the request, or is a file")
        is_file = head.filename is not None or folding.field(head.name) == "file"
        judged = is_file and not self._in_purpose and self._fault is None and self._purpose in (None, _BATCH)
        self._lines = self._make() if judged else None

    def _settle(self) -> None:
        if len(self._text) > LONGEST_PURPOSE:
            raise BadRequest("'purpose' is too long")
        text = self._text.decode("utf-8", "replace").strip().casefold()
        # What begins or ends otherwise is another purpose, or none to the one that reads it.
        self._purpose = _BATCH if _BATCH in text else text
        if self._purpose == _BATCH and self._fault is not None:
            raise self._fault

    def _judged(self, steps: Steps[None]) -> Steps[None]:
        try:
            yield from steps
        except ProxyError as fault:
            if self._purpose == _BATCH:
                raise
            self._fault = fault
            self._objects = self._lines is not None and self._lines.objects
            self._lines = None
