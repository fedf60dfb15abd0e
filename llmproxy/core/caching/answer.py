"""The head of an answer out of what is stored: whole, a part, or that nothing has changed."""

from __future__ import annotations

from attrs import define

from ...message import Field
from .. import fields as sections
from .conditional import is_not_modified, not_modified_fields
from .directives import RequestDirectives
from .entry import Entry
from .ranges import UNSATISFIABLE, Part, part_of

_OF_THE_WHOLE = frozenset((b"content-length", b"content-range"))


@define
class Answer:
    """
    @ivar part: which bytes of the stored content follow, C{None} if none do.
    """

    status: int
    reason: bytes
    fields: list[Field]
    part: Part | None


def answer(entry: Entry, asked: RequestDirectives, now: float, member: Field, *, head: bool = False) -> Answer:
    """
    What a client gets of a stored response that may be reused.

    A condition goes before a range (RFC 9110 section 13.2.2), and a range means nothing to HEAD (section 14.2).

    @param member: this cache's member of C{Cache-Status}.
    @param head: the request is a HEAD.
    """
    # RFC 9111 section 5.1: a stored response is never sent without its age.
    ours = [(b"Age", b"%d" % entry.age(now)), member]
    if asked.if_none_match is None and asked.if_modified_since is None and asked.range is None:
        return Answer(entry.status, entry.reason, [*entry.fields, *ours], None if head else (0, entry.size))
    if is_not_modified(entry, asked, now):
        return Answer(304, b"Not Modified", not_modified_fields(entry) + ours, None)
    part = part_of(entry, asked, now) if asked.range is not None and not head else None
    if part == UNSATISFIABLE:
        extent = (b"Content-Range", b"bytes */%d" % entry.size)
        return Answer(416, b"Range Not Satisfiable", [extent, (b"Content-Length", b"0"), *ours], None)
    if part is not None:
        return Answer(206, b"Partial Content", _partial(entry, *part) + ours, part)
    return Answer(entry.status, entry.reason, [*entry.fields, *ours], None if head else (0, entry.size))


def _partial(entry: Entry, start: int, end: int) -> list[Field]:
    return [
        *sections.without(entry.fields, _OF_THE_WHOLE),
        (b"Content-Range", b"bytes %d-%d/%d" % (start, end - 1, entry.size)),
        (b"Content-Length", b"%d" % (end - start)),
    ]
