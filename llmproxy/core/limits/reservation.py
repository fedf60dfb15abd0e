"""
Estimates of what a request can use at most, before it is asked: from what it says, and from what others of its model
have used.

Input is its bytes through L{BYTES_A_TOKEN}. Output is what the request allows (C{max_tokens} and its sisters, times the
answers that it wants); where it allows anything, the most that one of the last L{REMEMBERED} answers of the model had,
and L{OUTPUT} while fewer are known. Input that only the provider sees (an earlier response, a file by its id, a picture
by its address) is the most that one of the last such requests had beyond its bytes, and L{HIDDEN} likewise.
"""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from math import ceil
from typing import Annotated, Any, NamedTuple

import msgspec
from attrs import define, field

from ..inspection.steps import Steps, finish
from ..jsonmembers import JsonMembers, tree_of
from ..models import LONGEST, named

BYTES_A_TOKEN = 3
"""Prose in English has four and more, code and other languages three and fewer; JSON around them adds some."""

OUTPUT = 4096
HIDDEN = 4096
"""Tokens, while nothing is known of a model."""

REMEMBERED = 32
"""Requests of a model of which the largest counts."""

MOST_MODELS = 1024
MOST_ANSWERS = 128
"""C{n} of a request, as far as providers take it; more counts as that."""

MOST_TOKENS = 10_000_000
"""That a request is believed to allow; no model has as many, and more says nothing."""

AT_ONCE = 64 * 1024
"""Bytes that are parsed at once; of a longer body as many are scanned in one slice."""

_OUTPUT = (
    *("max_tokens", "max_completion_tokens", "max_output_tokens", "max_tokens_to_sample"),
    *("generationConfig.maxOutputTokens", "generation_config.max_output_tokens", "generationConfig.max_output_tokens"),
    *("inferenceConfig.maxTokens", "options.num_predict", "max_new_tokens", "max_gen_len"),
)
"""OpenAI's, Anthropic's, Gemini's, Bedrock's, Ollama's and others' names for it."""
_ANSWERS = ("n", "best_of", "generationConfig.candidateCount", "generation_config.candidate_count")
_TREE = tree_of(("model", *_OUTPUT, *_ANSWERS))

_HIDDEN = re.compile(
    rb'"(?:p(?=revious_response_id")|c(?=onversation"|achedContent"|ached_content")|f(?=ile_id"|ile_url"|ileUri"|ile_uri")'
    rb'|image_url"|type"\s*:\s*"(?:url|file|web_search[a-z_0-9]*|file_search|mcp)")'
)
"""Of each name that begins with an other letter only that is looked at: most are C{role} and C{content}."""


_ESCAPED = re.compile(rb"\\u00(3[0-9]|4[1-9a-fA-F]|5[0-9aAfF]|6[1-9a-fA-F]|7[0-9aA])")
"""A letter, a digit or C{_} that is written as an escape, as no program does (RFC 8259 section 7)."""

_ESCAPES = re.compile(_ESCAPED.pattern + rb"|\\.", re.DOTALL)
_UNCUT = re.compile(rb"[^\\]*(?:\\(?:u[0-9a-fA-F]{4}|[^u])[^\\]*)*")
_ESCAPE = 6
"""Bytes of the longest escape."""


_LONGEST_NUMBER = 40
"""Characters of one that is written as a text."""

_BEYOND = 1e18
"""More than everything that is counted here."""


class Wants(NamedTuple):
    """
    What a request asks for.

    @ivar model: as its body names it; C{""} if it does not, or was not read.
    @ivar size: bytes of its content.
    @ivar output: tokens that it allows an answer to have, of all answers together; C{None} for any number.
    @ivar answers: that it wants.
    @ivar hides: it refers to input that is not in it.
    """

    model: str = ""
    size: int = 0
    output: int | None = None
    answers: int = 1
    hides: bool = False


class _Said(msgspec.Struct, gc=False):
    """What most bodies say. What comes last is said by few, as objects or otherwise: such a body is no L{_Said}."""

    model: Annotated[str, msgspec.Meta(max_length=LONGEST)] = ""
    max_tokens: Any = msgspec.UNSET
    max_completion_tokens: Any = msgspec.UNSET
    max_output_tokens: Any = msgspec.UNSET
    n: Any = msgspec.UNSET
    best_of: None = None
    generationConfig: None = None
    generation_config: None = None
    inferenceConfig: None = None
    options: None = None
    max_tokens_to_sample: None = None
    max_new_tokens: None = None
    max_gen_len: None = None


_SAID = msgspec.json.Decoder(_Said)
_UNSAID = msgspec.UNSET
_new = tuple.__new__
_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def wants_at_once(content: bytes) -> Wants:
    """The same as L{wants_of}, of a body that is not longer than L{AT_ONCE}."""
    return plain_wants(content) or finish(wants_of(content))


def plain_wants(content: bytes) -> Wants | None:
    """The same, of a JSON object that has nothing which can be read in two ways; C{None} for any other body."""
    try:
        said = _SAID.decode(content)
    except _ERRORS:
        return None
    # (By find: CPython first takes what stands before "in bytes" for a number, and swallows an exception.)
    if content.find(b"\\u00") >= 0:
        # A name that is written with escapes is to be found like any other.
        return None
    output, answers = None, 1
    if (
        said.max_tokens is not _UNSAID
        or said.n is not _UNSAID
        or said.max_completion_tokens is not _UNSAID
        or said.max_output_tokens is not _UNSAID
    ):
        allowed = [
            each
            for each in (said.max_tokens, said.max_completion_tokens, said.max_output_tokens)
            if each is not _UNSAID
        ]
        # Of a name that stands there twice parsers take one or the other.
        if allowed and content.count(b'"max_') != len(allowed):
            return None
        if said.n is not _UNSAID:
            if content.count(b'"n"') != 1:
                return None
            answers = _count(said.n, MOST_ANSWERS, MOST_ANSWERS) or 1
        output = max((_count(each, MOST_TOKENS) for each in allowed), default=0) * answers or None
    model = said.model
    hides = _HIDDEN.search(content) is not None
    # As its class does it, in a quarter of the time.
    return _new(Wants, (model if model.isprintable() else "", len(content), output, answers, hides))


def wants_of(content: bytes) -> Steps[Wants]:
    """What a body of JSON asks for; one that cannot be read says nothing but its size."""
    size = len(content)
    if _ESCAPED.search(content) is not None:
        content = yield from _unescaped(content)
    found: list[tuple[str, bytes]] = []
    scan = JsonMembers(_TREE, lambda name, written: found.append((name, written)))
    hides = False
    for at in range(0, len(content), AT_ONCE):
        if at:
            yield
        # A name that is cut in two is seen in the piece that begins before it.
        hides = hides or _HIDDEN.search(content, max(0, at - 64), at + AT_ONCE) is not None
        scan.feed(content[at : at + AT_ONCE])
    values = [(name, _value(written)) for name, written in found]
    output = max((_count(each, MOST_TOKENS) for name, each in values if name in _OUTPUT), default=0)
    answers = (
        max((_count(each, MOST_ANSWERS, MOST_ANSWERS) for name, each in values if name in _ANSWERS), default=0) or 1
    )
    model = next((named(each) for name, each in reversed(values) if name == "model"), "")
    return Wants(model, size, output * answers or None, answers, hides)


def _unescaped(content: bytes) -> Steps[bytes]:
    """The same JSON, with letters that are escapes as letters: names are found by them."""
    pieces, rest = [], b""
    for at in range(0, len(content), AT_ONCE):
        if at:
            yield
        piece = rest + content[at : at + AT_ONCE]
        whole = _UNCUT.match(piece)
        end = len(piece) if whole is None or len(piece) - whole.end() >= _ESCAPE else whole.end()
        rest = piece[end:]
        pieces.append(_ESCAPES.sub(_letter, piece[:end]))
    return b"".join([*pieces, rest])


def _letter(escape: re.Match[bytes]) -> bytes:
    return escape[0] if escape[1] is None else bytes([int(escape[1], 16)])


def _value(written: bytes) -> Any:
    try:
        return msgspec.json.decode(written)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _count(value: object, most: int, above: int = 0) -> int:
    """
    A number of a body, from 1 on; 0 for what is none. Many a server takes C{1e5} and C{"100000"} for one.

    @param above: what stands for more than C{most}.
    """
    if type(value) is not int:
        value = _number(value)
    return 0 if value <= 0 else value if value <= most else above


def _number(value: object) -> int:
    if type(value) is str and len(value) <= _LONGEST_NUMBER:
        try:
            value = float(value)
        except ValueError:
            return 0
    if type(value) is not float or not value > 0:
        return 0
    return ceil(min(value, _BEYOND))


class Estimate(NamedTuple):
    """Tokens that a request can use at most, as far as can be known before."""

    input_tokens: int = 0
    output_tokens: int = 0


NOTHING = Estimate()


@define(slots=True, eq=False)
class _Largest:
    """
    The largest of the last L{REMEMBERED} numbers.

    @ivar most: that; at least what holds otherwise while there are few.
    """

    _otherwise: int
    _last: deque[int] = field(factory=deque, init=False)
    most: int = field(init=False)

    @most.default
    def _of_none(self) -> int:
        return self._otherwise

    def add(self, number: int) -> None:
        last = self._last
        last.append(number)
        passed = last.popleft() if len(last) > REMEMBERED else None
        if number >= self.most:
            self.most = number
        elif len(last) == REMEMBERED and (passed is None or passed >= self.most):
            self.most = max(last)


@define(slots=True, eq=False)
class Seen:
    """What the last requests of a model had: tokens of an answer, and of input beyond its bytes."""

    output: _Largest = field(factory=lambda: _Largest(OUTPUT))
    hidden: _Largest = field(factory=lambda: _Largest(HIDDEN))

    def add(self, wants: Wants, input_tokens: int | None, output_tokens: int | None) -> None:
        """One more."""
        _, size, _, answers, hides = wants
        if output_tokens is not None:
            self.output.add(output_tokens if answers == 1 else -(-output_tokens // answers))
        if hides and input_tokens is not None:
            self.hidden.add(max(0, input_tokens - size // BYTES_A_TOKEN))


class Learnt:
    """
    What models have used of late, by any key of theirs; it is as large as L{MOST_MODELS} at most. What is forgotten for
    that goes on where it is in use.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[object, Seen] = OrderedDict()

    def estimate(self, model: object, wants: Wants) -> Estimate:
        """What a request to a model can use at most."""
        seen = self._seen.get(model)
        into, output = -(-wants.size // BYTES_A_TOKEN), wants.output
        if wants.hides:
            into += HIDDEN if seen is None else seen.hidden.most
        if output is None:
            output = (OUTPUT if seen is None else seen.output.most) * wants.answers
        return _new(Estimate, (into, output))

    def learn(self, model: object, wants: Wants, input_tokens: int | None, output_tokens: int | None) -> Seen:
        """
        What a request has used in the end.

        @return: where it is, and where what follows can be added.
        """
        seen = self._seen.get(model)
        if seen is None:
            seen = self._seen[model] = Seen()
            if len(self._seen) > MOST_MODELS:
                self._seen.popitem(last=False)
        else:
            self._seen.move_to_end(model)
        seen.add(wants, input_tokens, output_tokens)
        return seen
