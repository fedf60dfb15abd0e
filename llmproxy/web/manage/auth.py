"""Who may use the management API."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Any

from ...errors import Unauthorized


class ManagementUnauthorized(Unauthorized):
    code = "unauthorized"
    challenge = b'Bearer realm="llmproxy management"'


class ManagementAuth:
    """
    Compares C{Authorization: Bearer} with the management token.

    Hashes are compared, in constant time: neither the token nor its length shows in how long it takes.
    """

    def __init__(self, management_token: str) -> None:
        if not management_token:
            raise ValueError("the management token is empty")
        self._digest = sha256(management_token.encode()).digest()

    def check(self, request: Any) -> None:
        """
        @raise ManagementUnauthorized: with the words of the reference.
        """
        scheme, _, token = (request.getHeader(b"authorization") or b"").strip().partition(b" ")
        token = token.strip()
        if scheme.lower() != b"bearer" or not token:
            raise ManagementUnauthorized(message="missing or invalid Authorization header")
        if not hmac.compare_digest(sha256(token).digest(), self._digest):
            raise ManagementUnauthorized(message="invalid management token")
