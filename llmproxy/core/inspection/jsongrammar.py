"""
The grammar of JSON (RFC 8259) as expressions over bytes.

Each begins where the one before it ended, and in none can a byte be read in two ways, so that the time of a match is
linear. What has no bound in the grammar has one here, or is matched in a window (C{endpos}).
"""

from __future__ import annotations

import re

LONGEST_NAME = 1024
"""Characters of a name, in an object that a rule looks into."""

LONGEST_NUMBER = 1024
"""Bytes, about; a reader that makes an integer of a long one takes time with the square of it."""

LONGEST_BLANK = 4096
"""Bytes of white space in a row."""

_DEPTH = 3

_W = rb"[ \t\n\r]{0,%d}" % LONGEST_BLANK
_CHARACTERS = rb'[^"\\\x00-\x1f]'
_ESCAPE = rb'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})'
_STRING = rb'"%b*(?:%b%b*)*"' % (_CHARACTERS, _ESCAPE, _CHARACTERS)
_NUMBER = rb"-?(?:0|[1-9][0-9]{0,%d})(?:\.[0-9]{1,%d})?(?:[eE][+-]?[0-9]{1,%d})?" % ((LONGEST_NUMBER // 2,) * 3)
_WORD = rb"true|false|null"


_SCALAR = _STRING + b"|" + _NUMBER + b"|" + _WORD


def _nested(inner: bytes) -> bytes:
    """A scalar, or an object or array of C{inner}."""
    element = rb"%b(?:%b)%b" % (_W, inner, _W)
    # A comma must not be the last: readers differ in what they make of it.
    array = rb"\[(?:%b(?:,(?!%b\])|(?=\])))*%b\]" % (element, _W, _W)
    members = rb"\{(?:%b%b%b:%b(?:,(?!%b\})|(?=\})))*%b\}" % (_W, _STRING, _W, element, _W, _W)
    return _SCALAR + b"|" + array + b"|" + members


_SHALLOW = _SCALAR
for _ in range(_DEPTH):
    _SHALLOW = _nested(_SHALLOW)

BLANK = re.compile(_W)
VALUE = re.compile(rb'%b(?:([\[{])|(")|(%b|%b))' % (_W, _NUMBER, _WORD))
"""The begin of a value: of an object or array, of a string, or all of a number or word."""
TEXT = re.compile(rb'(?:[^"\\\x00-\x1f]{1,4096}|%b){0,64}' % _ESCAPE)
"""A piece of a string."""
NAME = re.compile(rb'%b("(?:%b|%b){0,%d}")%b:' % (_W, _CHARACTERS, _ESCAPE, LONGEST_NAME, _W))
QUOTE = re.compile(rb'%b"' % _W)
COLON = re.compile(rb"%b:" % _W)
NEXT = re.compile(rb"%b([,\]}])" % _W)
"""What follows a value."""
SHALLOW = re.compile(rb"%b(?:%b)(?=%b[,\]}])" % (_W, _SHALLOW, _W))
"""A value that is not nested further than C{_DEPTH}; to be matched in a window."""
ELEMENTS = re.compile(rb"(?:%b(?:%b)%b,)*" % (_W, _SHALLOW, _W))
"""Such elements of an array; to be matched in a window."""
MEMBERS = re.compile(rb"(?:%b%b%b:%b(?:%b)%b,)*" % (_W, _STRING, _W, _W, _SHALLOW, _W))
"""The same of an object."""
