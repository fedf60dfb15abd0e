"""
Models that a path names, in every way in which a server may read it.

A server undoes the percent-encoding of a path at some point, before or after it parts the segments, compares the fixed
ones with or without regard to case, and may drop what stands behind a semicolon. A path is judged by each of these
readings; one that is harmless in all of them is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from urllib.parse import unquote

from .places import Places

_MOST_SEGMENTS = 5
_MOST_ENCODINGS = 3
"""A path that is encoded more often is refused before, L{llmproxy.core.endpoints.settled}."""


def models_allowed(path: bytes, allows: Callable[[str], bool], places: Places) -> str | None:
    """
    Whether each model that C{path} names is allowed: C{None} if so, else the one that is not.

    @param path: without a query, as it came.
    @param allows: whether a model of this name is.
    @param places: where paths name models.
    """
    for segments in _readings(path):
        for at, segment in enumerate(segments[:-1]):
            for word, rest in _named(segment, segments[at + 1 :], places):
                refused = _refused(word, rest, allows, places)
                if refused is not None:
                    return refused
    return None


def named_below(path: bytes, words: frozenset[str]) -> bool:
    """Whether a segment of C{path} is one of C{words}, in any reading."""
    return any(segment.partition(";")[0].lower() in words for segments in _readings(path) for segment in segments)


def uncheckable(path: bytes, places: Places) -> bool:
    """Whether what is sent to C{path} cannot be judged: a batch file that comes in parts, or from elsewhere."""
    return named_below(path, places.unseen) or path.rstrip(b"/").lower().endswith(places.unseen_ends)


def plainest(path: bytes) -> bytes:
    """A path as the most lenient server compares it: decoded, in lower case, without parameters and empty segments."""
    text = path.decode("utf-8", "surrogateescape")
    for _ in range(_MOST_ENCODINGS):
        text = unquote(text, errors="surrogateescape")
    segments = (segment.partition(";")[0].lower() for segment in _segments(text, str))
    return ("/" + "/".join(segments)).encode("utf-8", "surrogateescape")


def _readings(path: bytes) -> Iterator[list[str]]:
    text = path.decode("utf-8", "surrogateescape")
    seen = [text]
    yield _segments(text, lambda segment: unquote(segment, errors="surrogateescape"))
    for _ in range(_MOST_ENCODINGS):
        # What parts the segments after it has undone the encoding: once, or as often as there is one.
        text = unquote(text, errors="surrogateescape")
        if text in seen:
            return
        seen.append(text)
        yield _segments(text, str)


def _segments(path: str, decoded: Callable[[str], str]) -> list[str]:
    # Empty segments are merged by some servers and not by others.
    return [decoded(segment) for segment in path.replace("\\", "/").split("/") if segment]


def _named(segment: str, rest: Sequence[str], places: Places) -> Iterator[tuple[str, Sequence[str]]]:
    word = segment.partition(";")[0].strip().lower()
    if word in places.one and (word, rest[0].lower()) not in places.not_names:
        yield word, rest[:1]
    if word in places.several:
        yield word, rest[:_MOST_SEGMENTS]


def _refused(word: str, rest: Sequence[str], allows: Callable[[str], bool], places: Places) -> str | None:
    """The name that the segments begin with, if it is not allowed, however many of them it has."""
    has_method = word in places.with_methods
    for count in range(1, len(rest) + 1):
        whole = "/".join(rest[:count])
        name = _without_method(whole, places) if has_method else whole
        if all(map(allows, _spellings(name))) or any(allows(each + name) for at, each in places.prefixed if at == word):
            return None
        if name != whole:
            # The method ends the name.
            break
    return _without_method(rest[0], places) if has_method else rest[0]


def _without_method(name: str, places: Places) -> str:
    """Google's C{X:generateContent}; a fine-tuned model of OpenAI has colons of its own."""
    match = None if name.startswith(places.without_methods) else places.method.fullmatch(name)
    return name if match is None else match[1]


def _spellings(name: str) -> set[str]:
    return {name, name.partition(";")[0], unquote(name, errors="surrogateescape")}
