"""Validators: asking upstream whether a stored response is still good, and answering clients that ask."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...message import Field, Fields
from .. import fields as sections
from .dates import parse_date
from .directives import RequestDirectives
from .entry import Entry

_TAG = re.compile(rb'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_CLIENTS = frozenset((b"if-none-match", b"if-modified-since", b"if-range", b"range"))
_IN_304 = frozenset(
    (
        b"cache-control",
        b"cdn-cache-control",
        b"content-location",
        b"date",
        b"etag",
        b"expires",
        b"vary",
        b"via",
        b"cache-status",
    )
)


def tags_in(text: bytes) -> list[bytes]:
    """The entity tags of a list, without C{W/} and quotes; commas inside a tag belong to it."""
    return [match[2] for match in _TAG.finditer(text)]


def is_not_modified(entry: Entry, asked: RequestDirectives, now: float) -> bool:
    """
    Whether the client has what is stored, RFC 9111 section 4.3.2.

    C{If-None-Match} goes first and compares weakly (RFC 9110 section 13.1.2); an invalid date says nothing.
    """
    if entry.status != 200:
        return False
    if asked.if_none_match is not None:
        return _none_match_fails(entry, asked.if_none_match)
    if asked.if_modified_since is None:
        return False
    since = parse_date(asked.if_modified_since, now)
    modified = parse_date(entry.field(b"last-modified") or entry.field(b"date") or b"", now)
    return since is not None and (entry.response_time if modified is None else modified) <= since


def _none_match_fails(entry: Entry, wanted: bytes) -> bool:
    if wanted.strip() == b"*":
        return True
    tag = entry.field(b"etag")
    match = _TAG.fullmatch(tag) if tag is not None else None
    return match is not None and match[2] in tags_in(wanted)


def not_modified_fields(entry: Entry) -> list[Field]:
    """
    What a 304 carries, RFC 9110 section 15.4.5.

    C{Last-Modified} only where there is no entity tag: it would describe a representation that is not sent.
    """
    kept = [pair for pair in entry.fields if pair[0].lower() in _IN_304]
    if entry.field(b"etag") is None:
        kept += [pair for pair in entry.fields if pair[0].lower() == b"last-modified"]
    return kept


def can_validate(entry: Entry) -> bool:
    return entry.field(b"etag") is not None or entry.field(b"last-modified") is not None


def validating(fields: Fields, entry: Entry) -> list[Field]:
    """
    The request fields that ask whether C{entry} is still good, RFC 9111 section 4.3.1.

    The client's own conditions are answered by us afterwards and do not go with it.
    """
    asking = sections.without(fields, _CLIENTS)
    tag, modified = entry.field(b"etag"), entry.field(b"last-modified")
    if tag is not None:
        asking.append((b"If-None-Match", tag))
    if modified is not None:
        asking.append((b"If-Modified-Since", modified))
    return asking


def selected_by(fields: Fields, entries: Iterable[tuple[bytes, Entry]]) -> list[bytes]:
    """
    Which stored variants a 304 makes fresh again, RFC 9111 section 4.3.4.

    @param entries: the variants that the request selects, with what a store calls them.
    """
    known = list(entries)
    tag, modified = sections.first(fields, b"etag"), sections.first(fields, b"last-modified")
    if tag is not None and not tag.startswith(b"W/"):
        return [name for name, entry in known if entry.field(b"etag") == tag]
    if tag is not None:
        weak = [(name, entry) for name, entry in known if (entry.field(b"etag") or b"").removeprefix(b"W/") == tag[2:]]
        return _latest(weak)
    if modified is not None:
        return _latest([(name, entry) for name, entry in known if entry.field(b"last-modified") == modified])
    return [known[0][0]] if len(known) == 1 else []


def same_representation(entry: Entry, fields: Fields) -> bool | None:
    """
    Whether an answer to HEAD speaks of what is stored, RFC 9111 section 4.3.5.

    @return: C{None} if it does not say of which version it speaks: one that names none contradicts none, but a cache
        that believed it would make another version's content fresh.
    """
    known = None
    for name in (b"etag", b"last-modified"):
        stated = sections.first(fields, name)
        if stated is not None:
            if stated != entry.field(name):
                return False
            known = True
    length = sections.first(fields, b"content-length")
    return known if length is None or (length.isdigit() and int(length) == entry.size) else False


def _latest(entries: list[tuple[bytes, Entry]]) -> list[bytes]:
    return [max(entries, key=lambda pair: pair[1].response_time)[0]] if entries else []
