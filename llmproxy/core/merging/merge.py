"""
A stream merged into the answer that a plain call would have given.

Streams are known by what is in them, whatever served them: gateways, Azure, Bedrock and Vertex AI serve models of
several vendors, each in its own shape. A shape is a class with a module of its own and stands in L{MERGERS}. What no
shape recognises stays a list of its events. Memory and time are a small multiple of the bytes that were kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from attrs import frozen

from .chat import Chat
from .cohere import CohereChat, CohereLines
from .converse import Converse
from .gemini import GenerateContent, Interaction
from .media import Media
from .messages import Message
from .ollama import Generation
from .parts import Merger
from .reading import AWS, DONE, EVENT_STREAM, LINES, Cut, Part, array, parts
from .responses import Response
from .threads import Run

MERGERS: tuple[type[Merger], ...] = (
    Chat,
    Response,
    Message,
    GenerateContent,
    Run,
    Generation,
    CohereChat,
    CohereLines,
    Converse,
    Interaction,
    Media,
)
"""All shapes; of a part that several recognise, the first has it."""

STREAMS = LINES | {EVENT_STREAM, AWS}
"""Media types of answers in parts."""

LOOKED_AT = 16
"""Parts that are looked at to find the shape: comments, pings and errors may come first."""

MOST_LISTED = 10_000
"""Parts of a stream of no known shape that are kept; an object of Python takes more than the bytes it is made of."""


@frozen
class Merged:
    """
    @ivar content: what a plain call would have answered; of a stream of no known shape, the list of its events: objects
        with C{data}, and C{event} where it has a name.
    @ivar kind: of the shape; C{"events"} for none.
    @ivar is_whole: the last part was there; of a stream of no known shape, nothing was cut as far as can be seen.
    """

    content: Any
    kind: str
    is_whole: bool


def merged(content: bytes, media_type: bytes) -> Merged:
    """
    @param content: without its codings; it may be cut anywhere.
    @param media_type: one of L{STREAMS}.
    @raise RecursionError: it is nested too deeply.
    """
    return _merged(parts(content, media_type))


def merged_array(text: str) -> Merged | None:
    """The same of an array whose elements are parts, as Gemini streams; C{None} for any other, which is no stream."""
    found = _merged(array(text)) if text.lstrip().startswith("[") else None
    return None if found is None or found.kind != GenerateContent.kind else found


def _merged(stream: Iterator[Part]) -> Merged:
    reading = _Reading(stream)
    first = list(islice(reading, LOOKED_AT))
    merger = next((found for part in first if (found := _merger_of(part)) is not None), None)
    if merger is None:
        return _listed(first, reading)
    for each in first:
        _take(merger, each)
    for each in reading:
        _take(merger, each)
    is_whole = reading.is_done or (merger.is_whole and not reading.is_cut)
    return Merged(merger.answer(), merger.kind, is_whole)


class _Reading:
    """@ivar is_done: the mark of the end was there; @ivar is_cut: a part was not whole."""

    def __init__(self, stream: Iterator[Part]) -> None:
        self._stream = stream
        self.is_done = self.is_cut = False

    def __iter__(self) -> Iterator[Part]:
        try:
            for part in self._stream:
                if part.content == DONE:
                    self.is_done = True
                else:
                    yield part
        except Cut:
            self.is_cut = True


def _merger_of(part: Part) -> Merger | None:
    if not isinstance(part.content, dict):
        return None
    for kind in MERGERS:
        if kind.recognises(part.name, part.content):
            return kind()
    return None


def _take(merger: Merger, part: Part) -> None:
    if isinstance(part.content, dict):
        merger.take(part.name, part.content)


def _listed(first: list[Part], reading: _Reading) -> Merged:
    listed = [*first, *islice(reading, MOST_LISTED - len(first))]
    events: list[dict[str, Any]] = [
        {"event": each.name, "data": each.content} if each.name else {"data": each.content} for each in listed
    ]
    is_whole = not reading.is_cut and len(listed) < MOST_LISTED
    return Merged(events, "events", is_whole)
