"""
Models that a path names, in every way in which a server may read it.

A server undoes the percent-encoding of a path at some point, before or after it parts the segments, compares the fixed
ones with or without regard to case, and may drop what stands behind a semicolon. A path is judged by each of these
readings; one that is harmless in all of them is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import unquote

_ONE = frozenset({"deployments", "engines", "endpoints", "checkpoints"})
"""
Segments before the name of a model that is one segment: C{/openai/deployments/X/chat/completions} (Azure),
C{/v1/engines/X/completions} (OpenAI, before 2022), C{/endpoints/X/invocations} (SageMaker) and C{…/endpoints/X:predict}
(Vertex AI), C{/v1/fine_tuning/checkpoints/X/permissions} (OpenAI).
"""

_SEVERAL = frozenset({"models", "model", "tunedmodels", "run"})
"""
Segments before one that may hold slashes: C{/v1/models/X}, C{/v1beta/models/X:generateContent},
C{/publishers/P/models/X}, C{/model/X/invoke} (Bedrock, where it can be an ARN), C{/ai/run/@cf/meta/X} (Cloudflare),
C{/v1/models/ORG/X}.
"""

_NO_NAMES = frozenset({("endpoints", "openapi")})
"""Vertex AI's C{/endpoints/openapi/chat/completions}, where the model stands in the body."""

_MOST_SEGMENTS = 5
_MOST_ENCODINGS = 3
"""A path that is encoded more often is refused before, L{llmproxy.core.endpoints.settled}."""

_VERB = re.compile(r"(.*[^:]):(?:[a-z]+[A-Z][A-Za-z]*|predict|explain)")
"""
Google's methods, C{X:generateContent}. Others with a colon are names: C{llama3:latest} (Ollama), C{X-v1:0} (Bedrock).
"""
_WITH_VERBS = frozenset({"models", "tunedmodels", "endpoints"})
_FINE_TUNED = "ft:"


def models_allowed(path: bytes, allows: Callable[[str], bool]) -> str | None:
    """
    Whether each model that C{path} names is allowed: C{None} if so, else the one that is not.

    @param path: without a query, as it came.
    @param allows: whether a model of this name is.
    """
    for segments in _readings(path):
        for at, segment in enumerate(segments[:-1]):
            for word, rest in _named(segment, segments[at + 1 :]):
                refused = _refused(word, rest, allows)
                if refused is not None:
                    return refused
    return None


def named_below(path: bytes, words: frozenset[str]) -> bool:
    """Whether a segment of C{path} is one of C{words}, in any reading."""
    return any(segment.partition(";")[0].lower() in words for segments in _readings(path) for segment in segments)


def uncheckable(path: bytes) -> bool:
    """Whether what is sent to C{path} cannot be judged: a batch file that comes in parts, or from elsewhere."""
    return named_below(path, frozenset({"uploads"})) or path.rstrip(b"/").lower().endswith(b"/files/import")


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


def _named(segment: str, rest: Sequence[str]) -> Iterator[tuple[str, Sequence[str]]]:
    word = segment.partition(";")[0].strip().lower()
    if word in _ONE and (word, rest[0].lower()) not in _NO_NAMES:
        yield word, rest[:1]
    elif word in _SEVERAL:
        yield word, rest[:_MOST_SEGMENTS]


def _refused(word: str, rest: Sequence[str], allows: Callable[[str], bool]) -> str | None:
    """The name that the segments begin with, if it is not allowed, however many of them it has."""
    without_verb = _without_verb if word in _WITH_VERBS else str
    first = without_verb(rest[0])
    for count in range(1, len(rest) + 1):
        name = without_verb("/".join(rest[:count]))
        if all(map(allows, _spellings(name))) or (word == "tunedmodels" and allows("tunedModels/" + name)):
            return None
        if name != "/".join(rest[:count]):
            # The verb ends the name.
            break
    return first


def _without_verb(name: str) -> str:
    """Google's C{X:generateContent}; a fine-tuned model of OpenAI has colons of its own."""
    match = _VERB.fullmatch(name)
    return match[1] if match and not name.startswith(_FINE_TUNED) else name


def _spellings(name: str) -> set[str]:
    return {name, name.partition(";")[0], unquote(name, errors="surrogateescape")}
