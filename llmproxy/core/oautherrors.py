"""Refusals of OAuth's endpoints, in OAuth's words (RFC 6749 section 5.2, RFC 8628 section 3.5)."""

from __future__ import annotations

from typing import Literal

Code = Literal[
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "authorization_pending",
    "slow_down",
    "access_denied",
    "expired_token",
    "temporarily_unavailable",
    "server_error",
]


class OAuthRefusal(Exception):
    """
    @ivar status: 400, but where a client has to see that its sign-in is over (401), or to come again (429, 503).
    @ivar description: for people; ASCII without quotation marks, as section 5.2 wants it.
    @ivar retry_after: seconds; C{None} where it does not help to wait.
    """

    def __init__(self, code: Code, description: str = "", status: int = 400, retry_after: int | None = None) -> None:
        super().__init__(code, description)
        self.code: str = code
        self.description = description
        self.status = status
        self.retry_after = retry_after
