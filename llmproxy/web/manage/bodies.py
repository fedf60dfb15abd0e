"""What the management API accepts and what it says, and the rules for both."""

from __future__ import annotations

from datetime import datetime, timezone

from msgspec import UNSET, Struct, UnsetType

from ...errors import BadRequest
from ...message import Project, Token

MAX_NAME = 255
MAX_API_KEY = 4096
MAX_MINUTES = 525_600
"""A year, as in the reference."""

MAX_REQUESTS = 2**53 - 1
"""The largest integer that every JSON parser keeps exactly (RFC 8259 section 6)."""

# Which members are missing is told by our own words, in the reference's order; so none is required here.


class NewProject(Struct, forbid_unknown_fields=True):
    name: str = ""
    api_key: str = ""


class ProjectChange(Struct, forbid_unknown_fields=True):
    """C{None} is the same as not given, as in the reference; an empty C{api_key} too."""

    name: str | None = None
    api_key: str | None = None
    is_active: bool | None = None
    revoke_tokens: bool | None = None


class NewToken(Struct, forbid_unknown_fields=True):
    project_id: str = ""
    duration_minutes: int = 0
    max_requests: int | None = None


class TokenChange(Struct, forbid_unknown_fields=True):
    is_active: bool | None = None
    max_requests: int | None = None


class ProjectView(Struct):
    id: str
    name: str
    api_key: str
    is_active: bool
    created_at: datetime
    updated_at: datetime
    deactivated_at: datetime | UnsetType = UNSET


class TokenView(Struct):
    id: str
    token: str
    project_id: str
    expires_at: datetime | None
    is_active: bool
    request_count: int
    max_requests: int | None
    created_at: datetime
    last_used_at: datetime | None
    cache_hit_count: int


class IssuedToken(Struct):
    """The only answer that ever holds a token's secret."""

    id: str
    token: str
    expires_at: datetime
    max_requests: int | UnsetType = UNSET


class Revocation(Struct):
    revoked_count: int
    already_revoked_count: int
    total_tokens: int


def view_of_project(project: Project) -> ProjectView:
    return ProjectView(
        project.id,
        project.name,
        masked(project.api_key),
        project.is_active,
        moment(project.created_at),
        moment(project.updated_at),
        UNSET if project.deactivated_at is None else moment(project.deactivated_at),
    )


def view_of_token(token: Token) -> TokenView:
    return TokenView(
        token.id,
        token.hint,
        token.project_id,
        None if token.expires_at is None else moment(token.expires_at),
        token.is_active,
        token.request_count,
        token.max_requests,
        moment(token.created_at),
        None if token.last_used_at is None else moment(token.last_used_at),
        token.cache_hit_count,
    )


def moment(seconds: float) -> datetime:
    """RFC 3339 in UTC, when it is encoded."""
    return datetime.fromtimestamp(seconds, timezone.utc)


def masked(api_key: str) -> str:
    """
    What is shown of an upstream key: enough to tell two apart.

    As in the reference, but of a key between 13 and 23 characters it showed all but a few.
    """
    length = len(api_key)
    if length <= 4:
        return "*" * length
    if length <= 12:
        return api_key[:2] + "*" * (length - 2)
    if length < 24:
        return f"{api_key[:2]}...{api_key[-2:]}"
    return f"{api_key[:8]}...{api_key[-4:]}"


def check_name(name: str) -> None:
    """
    @raise BadRequest: it is empty, too long, or cannot be shown in one line.
    """
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise BadRequest(f"expected 1 to {MAX_NAME} printable characters", message="invalid name")


def check_api_key(api_key: str) -> None:
    """
    @raise BadRequest: it could not stand in a header field, or is what we show instead of a key.
    """
    if "..." in api_key or "****" in api_key:
        raise BadRequest(message="cannot save obfuscated API key - please provide the full API key")
    if len(api_key) > MAX_API_KEY or not (api_key.isascii() and api_key.isprintable()) or " " in api_key:
        raise BadRequest(f"expected at most {MAX_API_KEY} visible ASCII characters", message="invalid api_key")


def check_max_requests(max_requests: int | None) -> None:
    """
    @raise BadRequest: it is negative, or too large to be kept exactly.
    """
    if max_requests is not None and max_requests < 0:
        raise BadRequest(message="max_requests must be >= 0")
    if max_requests is not None and max_requests > MAX_REQUESTS:
        raise BadRequest(message=f"max_requests must be <= {MAX_REQUESTS}")
