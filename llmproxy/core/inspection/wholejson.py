"""
The members of a JSON object, found in C at once: most bodies are short, and written by a library as all others.

Nothing is taken for JSON here that L{llmproxy.core.inspection.jsonbody} does not take. What is written in another way
than most, or near one of its bounds, is left to it: that costs time, and never an answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import msgspec

from .jsongrammar import LONGEST_BLANK, LONGEST_NAME, LONGEST_NUMBER
from .steps import SLICE

LONGEST = 4 * SLICE
"""Bytes: C passes over those in a millisecond or two."""

_NESTED = 200
"""Arrays and objects within each other, fewer by far than there may be."""

_MOST = 20_000
"""Elements, or members, of which one after the other is looked at: that takes some milliseconds."""

_STYLES = ((b'"', b'":', b","), (b'"', b'": ', b", "))
"""What stands before a name, between it and its value, and between two members."""

_IN_A_ROW = 3
"""Of a run that is too long so many bytes are seen, each as far from the next as the fourth part of its length."""

_DIGITS, _BLANKS = LONGEST_NUMBER // 2 // (_IN_A_ROW + 1), LONGEST_BLANK // (_IN_A_ROW + 1)
_SOME_DIGITS = re.compile(rb"(?=[0-9]{%d})" % _IN_A_ROW)
_SOME_BLANKS = re.compile(rb"(?=[ \t\n\r]{%d})" % _IN_A_ROW)

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode


def members_of(body: bytes) -> Mapping[str, bytes] | None:
    """
    The members by name, in their order, each as it is written.

    @param body: UTF-8.
    @return: C{None} if it is to be read otherwise: it is longer than L{LONGEST}, no object, malformed, has a name
        twice, one with an escape, or white space where most have none, or may have what is too long or too deep.
    """
    if len(body) > LONGEST:
        return None
    try:
        found = _members(body)
    except (msgspec.MsgspecError, RecursionError):
        return None
    if len(found) > _MOST:
        return None
    members = {name: bytes(value) for name, value in found.items()}
    if not any(_is_written(body, members, *style) for style in _STYLES):
        return None
    if _has_run(body, _DIGITS, _SOME_DIGITS, bytes.isdigit) or _has_run(body, _BLANKS, _SOME_BLANKS, bytes.isspace):
        return None
    return members if all(map(_is_shallow, members.values())) else None


def _is_written(body: bytes, members: Mapping[str, bytes], begin: bytes, middle: bytes, between: bytes) -> bool:
    """Whether the body is these members, in this style, and nothing else: of a name that stands twice one is known."""
    at, before = 1, begin
    for name, value in members.items():
        head = before + name.encode("utf-8", "surrogatepass") + middle
        if len(head) > LONGEST_NAME or not body.startswith(head, at) or not body.startswith(value, at + len(head)):
            return False
        at += len(head) + len(value)
        before = between + begin
    return body[:1] == b"{" and body[at:] == b"}"


def _has_run(body: bytes, step: int, pattern: re.Pattern[bytes], is_one: Callable[[bytes], bool]) -> bool:
    """Whether there are many bytes of a kind in a row; a run of four steps always is."""
    size = (_IN_A_ROW - 1) * step + 1
    return any(is_one(body[at : at + size]) for at in (each.start() * step for each in pattern.finditer(body[::step])))


def _is_shallow(value: bytes, looks: int = 2) -> bool:
    """
    Whether it is nested no deeper than L{_NESTED}, as far as that is seen at once; brackets in texts count too.

    @param looks: how often elements of an array are looked at one by one: each time costs what the value is long.
    """
    if len(value) < 2 * _NESTED:
        return True
    brackets = value.count(b"[") + value.count(b"{")
    if brackets <= _NESTED:
        return True
    if not looks or value[:1] != b"[" or brackets > _MOST or value.count(b",") > _MOST:
        return False
    return all(_is_shallow(bytes(each), looks - 1) for each in _elements(value))
