"""What a client reads that is turned away by the channel itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from twisted.web.http import RESPONSES

from ..core.masking import mask

if TYPE_CHECKING:
    from ..core.http11 import Refusal


def refusal_response(refusal: Refusal, head_only: bool) -> bytes:
    """
    A whole response, after which the connection closes.

    @param head_only: the request was a HEAD.
    """
    body = refusal_body(refusal)
    reason = RESPONSES.get(refusal.status, b"Error")
    again = b"Retry-After: 1\r\n" if refusal.status == 503 else b""
    return (
        b"HTTP/1.1 %d %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%bConnection: close\r\n\r\n%b"
        % (
            refusal.status,
            reason,
            len(body),
            again,
            b"" if head_only else body,
        )
    )


def refusal_body(refusal: Refusal) -> bytes:
    """The content of it."""
    return json.dumps({"error": mask(refusal.detail), "code": refusal.code}).encode()
