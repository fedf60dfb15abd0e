"""
Tokens of browsers, which cannot put one into a field of their own when they open a WebSocket.

OpenAI's Realtime API takes the key of a browser as one of the subprotocols it offers, and its SDK sends it so:
C{Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.KEY} (platform.openai.com/docs/guides/realtime-websocket).
"""

from __future__ import annotations

from ..message import Field, Fields
from .fields import values
from .notable import OFFER

_MARK = b"openai-insecure-api-key."


def offered_secrets(fields: Fields) -> list[bytes]:
    """The secrets among the subprotocols that are offered."""
    names = [member.strip(b" \t") for value in values(fields, OFFER) for member in value.split(b",")]
    found = [name[len(_MARK) :] for name in names if name.startswith(_MARK)]
    return [secret for secret in found if secret]


def without_secret(field: Field) -> Field | None:
    """
    The field without what could be a secret, its other members in their order; C{None} if nothing else was offered.

    A field that holds none is left as it is, byte for byte.
    """
    name, value = field
    members = value.split(b",")
    kept = [member for member in members if not member.strip(b" \t").lower().startswith(_MARK)]
    if len(kept) == len(members):
        return field
    rest = b",".join(kept).strip(b" \t")
    return (name, rest) if rest else None
