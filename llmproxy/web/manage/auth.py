"""Who may use the management API."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Any

from attrs import frozen

from ...errors import Unauthorized
from ...message import Role


class ManagementUnauthorized(Unauthorized):
    code = "unauthorized"
    challenge = b'Bearer realm="llmproxy management"'


@frozen
class Actor:
    """
    Who makes a call.

    @ivar name: what the audit log calls him.
    """

    name: str
    role: Role


BOOTSTRAP = Actor("management_api", "owner")
"""Whoever knows the management token; named as the reference names everybody."""


class ManagementAuth:
    """
    Compares C{Authorization: Bearer} with the management token.

    Hashes are compared, in constant time: neither the token nor its length shows in how long it takes.
    """

    def __init__(self, management_token: str) -> None:
        if not management_token:
            raise ValueError("the management token is empty")
        self._digest = sha256(management_token.encode()).digest()

    async def actor(self, request: Any) -> Actor:
        """
        Who makes a request.

        @raise ManagementUnauthorized: with the words of the reference.
        """
        scheme, _, token = (request.getHeader(b"authorization") or b"").strip().partition(b" ")
        token = token.strip()
        if scheme.lower() != b"bearer" or not token:
            raise ManagementUnauthorized(message="missing or invalid Authorization header")
        if not hmac.compare_digest(sha256(token).digest(), self._digest):
            raise ManagementUnauthorized(message="invalid management token")
        return BOOTSTRAP
