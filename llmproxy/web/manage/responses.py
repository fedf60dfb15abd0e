"""Responses of the management API."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from ...message import Admin, Project, Role, Token
from .limits import LimitFields, LimitView, stated

Moment = Annotated[datetime, Meta(tz=True)]
"""RFC 3339, in UTC."""


class ProjectView(LimitFields):
    id: str
    name: str
    api_key: Annotated[str, Meta(description="That for the default API, masked.")]
    api_keys: Annotated[dict[str, str | list[str]], Meta(description="By API, masked; a list where there are several.")]
    is_active: bool
    created_at: Moment
    updated_at: Moment
    deactivated_at: Moment | UnsetType = UNSET
    budget_reset_at: Moment | UnsetType = UNSET
    limits_left: list[LimitView] | UnsetType = UNSET


class TokenView(LimitFields):
    """
    A token without its secret.

    @ivar reserved_lost: uses of C{max_requests} that a process had leased when it died: they may have been spent, and
        are not given out again.
    @ivar limits_left: only where one token is shown.
    @ivar project_name: where a list was asked for it.
    @ivar previous_expires_at: when the secret ends that it had before it was rotated.
    """

    id: str
    token: str
    project_id: str
    expires_at: Moment | None
    is_active: bool
    request_count: int
    max_requests: int | None
    created_at: Moment
    last_used_at: Moment | None
    cache_hit_count: int
    name: str | None
    metadata: dict[str, str]
    reserved_lost: int
    previous_expires_at: Moment | UnsetType = UNSET
    budget_reset_at: Moment | UnsetType = UNSET
    project_name: str | UnsetType = UNSET
    limits_left: list[LimitView] | UnsetType = UNSET


class IssuedToken(Struct):
    """The only answer that ever holds a token's secret."""

    id: str
    token: str
    expires_at: Moment | None
    max_requests: int | UnsetType = UNSET
    name: str | UnsetType = UNSET
    previous_expires_at: Moment | UnsetType = UNSET


class Revocation(Struct):
    revoked_count: int
    already_revoked_count: int
    total_tokens: int


class AdminView(Struct):
    id: str
    name: str
    role: Role
    token: str
    created_at: Moment
    expires_at: Moment | None
    revoked_at: Moment | None
    last_used_at: Moment | None


class IssuedAdmin(Struct):
    """The only answer that ever holds an admin's token."""

    id: str
    name: str
    role: Role
    token: str
    expires_at: Moment | None


class Self(Struct):
    name: str
    role: Role
    permissions: list[str]


def view_of_project(project: Project, default_api: str) -> ProjectView:
    keys = {api: [masked(key) for key in keys] for api, keys in sorted(project.api_keys.items())}
    return ProjectView(
        project.id,
        project.name,
        keys.get(default_api, [""])[0],
        {api: shown if len(shown) > 1 else shown[0] for api, shown in keys.items()},
        project.is_active,
        moment(project.created_at),
        moment(project.updated_at),
        _known(project.deactivated_at),
        _known(project.budget_reset_at),
        **stated(project.limits),
    )


def view_of_token(token: Token) -> TokenView:
    return TokenView(
        token.id,
        token.hint,
        token.project_id,
        _or_none(token.expires_at),
        token.is_active,
        token.request_count,
        token.max_requests,
        moment(token.created_at),
        _or_none(token.last_used_at),
        token.cache_hit_count,
        token.name,
        {} if token.metadata is None else msgspec.json.decode(token.metadata, type=dict[str, str]),
        token.reserved_lost,
        _known(token.previous_until),
        _known(token.budget_reset_at),
        **stated(token.limits),
    )


def view_of_issued(token: Token, secret: str) -> IssuedToken:
    return IssuedToken(
        token.id,
        secret,
        _or_none(token.expires_at),
        UNSET if token.max_requests is None else token.max_requests,
        UNSET if token.name is None else token.name,
        _known(token.previous_until),
    )


def view_of_admin(admin: Admin) -> AdminView:
    return AdminView(
        admin.id,
        admin.name,
        admin.role,
        admin.hint,
        moment(admin.created_at),
        _or_none(admin.expires_at),
        _or_none(admin.revoked_at),
        _or_none(admin.last_used_at),
    )


def view_of_issued_admin(admin: Admin, secret: str) -> IssuedAdmin:
    return IssuedAdmin(admin.id, admin.name, admin.role, secret, _or_none(admin.expires_at))


def moment(seconds: float) -> datetime:
    """RFC 3339 in UTC, when it is encoded."""
    return datetime.fromtimestamp(seconds, timezone.utc)


def _or_none(seconds: float | None) -> datetime | None:
    return None if seconds is None else moment(seconds)


def _known(seconds: float | None) -> datetime | UnsetType:
    return UNSET if seconds is None else moment(seconds)


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
