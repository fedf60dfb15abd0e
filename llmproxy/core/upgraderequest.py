"""Requests to upgrade a connection to another protocol: RFC 9110 section 7.8."""

from __future__ import annotations

from ..message import Field, Fields
from .fields import list_members, values

PROTOCOLS = frozenset({b"websocket"})
"""
What is passed on. Not C{h2c}: within it a client could send requests that nobody has checked.
"""


def asked_for(fields: Fields) -> bytes:
    """The protocol that a client would rather speak, in its own spelling; C{b""} if there is none that is passed on."""
    if b"upgrade" not in list_members(fields, b"connection"):
        return b""
    for value in values(fields, b"upgrade"):
        for protocol in value.split(b","):
            name = protocol.strip(b" \t")
            if name.lower() in PROTOCOLS:
                return name
    return b""


def switching(protocol: bytes) -> list[Field]:
    """The fields by which one hop asks for C{protocol}, or agrees to it."""
    return [(b"Connection", b"Upgrade"), (b"Upgrade", protocol)]


def upgrade_required(fields: Fields) -> list[Field]:
    """
    What a C{426} says of the protocols that would do, RFC 9110 section 15.5.22: the one answer that is none without it.
    """
    named = agreed(fields)
    return switching(named) if named else []


def agreed(fields: Fields) -> bytes:
    """The protocol of a C{101} response."""
    return b", ".join(values(fields, b"upgrade"))
