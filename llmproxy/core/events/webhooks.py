"""
The signature of a webhook, as C{standardwebhooks.com} has it (read 2026-11-30), so that its libraries verify it:
HMAC-SHA256 over the id, the time and the body.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from .event import Event


def key_of(secret: str) -> bytes:
    """
    The key that a secret stands for: C{whsec_} and base64, or any other text as it is.

    @raise ValueError: it begins like the former and is none.
    """
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("expected base64 behind whsec_ (it is not shown)") from None


def signature(key: bytes, id: str, timestamp: int, body: bytes) -> str:
    """The value of C{webhook-signature}."""
    signed = hmac.new(key, b"%b.%d.%b" % (id.encode(), timestamp, body), hashlib.sha256).digest()
    return "v1," + base64.b64encode(signed).decode()


def batch_id(batch: Sequence[Event]) -> str:
    """The same for the same events, whenever they are sent."""
    return "msg_" + hashlib.sha256("\n".join(event.id for event in batch).encode("utf-8", "replace")).hexdigest()[:32]
