"""
The texts of a call and of its answer, to be counted where the answer does not say what was used.

It is an estimate: what a vendor puts around messages and tools, and what pictures and sound come to, is not known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from attrs import evolve, frozen

from ..core.codings import Decoder
from ..usage import Usage
from .registry import FREE
from .usagereader import EVENT_STREAM

Tokens = Callable[[str, str], int]
"""How many tokens a text is to a model of this name."""

PER_MESSAGE, PER_CALL = 4, 3
"""What OpenAI's models of chats put around a message, and behind the last ("How to count tokens with tiktoken")."""

_RUNS = re.compile(
    rb"(?:completions|messages|responses|chat|generate|embeddings|embed|converse(?:-stream)?|invoke|"
    rb"(?:stream)?[gG]enerateContent|embedContent)$"
)
"""The ends of paths below which a model is asked for text in text."""

_ASKED = frozenset(
    "messages prompt input inputs contents content parts text system instructions systemInstruction system_instruction "
    "output arguments tool_calls function query documents".split()
)
_TOOLS = ("tools", "functions")
_SAID = frozenset(
    "choices message delta content text reasoning_content reasoning thinking refusal arguments partial_json tool_calls "
    "function function_call name candidates parts functionCall args output response candidate contentBlockDelta "
    "toolUse input content_block".split()
)
_WRITTEN = frozenset({"args", "input"})
"""Objects that came out of the model as they are."""

_DATA = re.compile(rb"^data:", re.MULTILINE)
_EVENT_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")


@frozen
class Call:
    """
    What was asked and answered, as bytes of the wire.

    @ivar codings: of C{answer}, see L{Decoder}; it may be cut.
    @ivar served: a model that is named in the answer; C{model} is what was asked for.
    """

    request: bytes
    answer: bytes
    media_type: bytes
    codings: tuple[bytes, ...] = ()
    model: str = ""
    served: str = ""


def is_estimated(target: bytes) -> bool:
    """Whether an answer to this is text, made of text."""
    path = target.partition(b"?")[0]
    return _RUNS.search(path) is not None and FREE.isdisjoint(re.split(rb"[/:]", path))


def estimated(call: Call, usage: Usage, tokens: Tokens) -> Usage | None:
    """
    A usage with what it does not say; C{None} where nothing can be said of it either. For a thread: it takes up to a
    second.

    @raise Exception: it cannot be read.
    """
    model = call.served or call.model
    put_in, out = usage.input_tokens, usage.output_tokens
    if put_in is None:
        put_in = _asked(call.request, lambda text: tokens(text, model))
    if out is None:
        out = tokens(_said(call), model)
    if put_in is None:
        return None
    return evolve(usage, input_tokens=put_in, output_tokens=out)


def _asked(request: bytes, tokens: Callable[[str], int]) -> int | None:
    called = msgspec.json.decode(request)
    if not isinstance(called, dict):
        return None
    messages = called.get("messages")
    around = PER_CALL + PER_MESSAGE * len(messages) if isinstance(messages, list) else 0
    tools = [msgspec.json.encode(called[name]).decode() for name in _TOOLS if called.get(name)]
    return around + tokens("\n".join([*_texts(called, _ASKED), *tools]))


def _said(call: Call) -> str:
    return "".join(text for document in _documents(call) for text in _texts(document, _SAID))


def _documents(call: Call) -> Iterator[Any]:
    content = _decoded(call)
    if call.media_type == EVENT_STREAM:
        pieces: Sequence[bytes] = [_DATA.sub(b"", _data_of(event)) for event in _EVENT_END.split(content)]
    else:
        try:
            found = msgspec.json.decode(content)
        except msgspec.DecodeError:
            pieces = content.split(b"\n")
        else:
            yield from found if isinstance(found, list) else (found,)
            return
    for piece in pieces:
        try:
            document = msgspec.json.decode(piece)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        if not _repeats(document):
            yield document


def _data_of(event: bytes) -> bytes:
    return b"\n".join(line for line in event.splitlines() if line.startswith(b"data:"))


def _repeats(document: Any) -> bool:
    """Whether an event of OpenAI's Responses says again what others have said in parts."""
    kind = document.get("type") if isinstance(document, dict) else None
    return isinstance(kind, str) and kind.startswith("response.") and not kind.endswith(".delta")


def _decoded(call: Call) -> bytes:
    if not call.codings:
        return call.answer
    return b"".join(Decoder(call.codings).feed(call.answer))


def _texts(value: Any, names: frozenset[str]) -> Iterator[str]:
    """The texts below members of these names."""
    if isinstance(value, str):
        if not value.startswith("data:"):
            yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each, names)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name in _WRITTEN and isinstance(each, dict) and names is _SAID:
                yield msgspec.json.encode(each).decode()
            elif name in names:
                yield from _texts(each, names)
