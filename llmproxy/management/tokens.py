"""Rules of tokens: issue, find, change, revoke, rotate."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec
from attrs import field, frozen

from ..core.limits.written import changed
from ..core.tokens import generate, hint, token_hash
from ..errors import BadRequest, Conflict, NotFound, ProjectInactive
from ..message import Token
from ..usagelimits import UNLIMITED, UsageLimits
from .checks import MAX_MINUTES, check_duration, check_expiry, check_max_requests, check_name, check_overlap
from .limits import Left, check_with_defaults, checked, left_of
from .versions import Versions, required_version

if TYPE_CHECKING:
    from .state import Served, State


@frozen
class TokenRequest:
    """
    A token that is wanted, checked when it is made.

    @ivar duration: seconds.
    @ivar max_requests: C{None} and 0 are without limit.
    @ivar limits: see L{llmproxy.management.limits.checked}.
    @raise BadRequest: something is missing or out of bounds.
    @raise Unprocessable: the name cannot be shown.
    """

    project_id: str
    duration: float
    max_requests: int | None = None
    name: str | None = None
    metadata: Mapping[str, str] | None = None
    limits: Mapping[str, Any] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        # The order is the reference's: what is said first when several things are wrong.
        if self.duration > MAX_MINUTES * 60:
            raise BadRequest(f"at most {MAX_MINUTES} minutes", message="duration_minutes exceeds maximum allowed")
        if self.duration <= 0:
            words = f"expected 1 to {MAX_MINUTES} minutes - at `$.duration_minutes`"
            raise BadRequest(words, message="project_id and duration_minutes are required")
        if not self.project_id:
            raise BadRequest(message="project_id is required")
        check_max_requests(self.max_requests)
        if self.name:
            check_name(self.name)


@frozen
class TokenUpdate:
    """
    What is to be changed of a token; C{None} leaves it as it is.

    @ivar max_requests: 0 is without limit.
    @ivar expires_at: seconds since the epoch.
    @ivar name: C{""} takes it away; likewise empty C{metadata}.
    @ivar limits: see L{llmproxy.management.limits.changes_of}.
    """

    is_active: bool | None = None
    max_requests: int | None = None
    expires_at: float | None = None
    name: str | None = None
    metadata: Mapping[str, str] | None = None
    limits: Mapping[str, Any] = field(factory=dict)

    @property
    def changed(self) -> list[str]:
        """The names of what is given."""
        values = (
            ("is_active", self.is_active),
            ("max_requests", self.max_requests),
            ("expires_at", self.expires_at),
            ("name", self.name),
            ("metadata", self.metadata),
        )
        return [name for name, value in values if value is not None] + sorted(self.limits)

    def check(self, now: float) -> None:
        """
        @raise BadRequest: nothing is given, or a limit is out of bounds.
        @raise Unprocessable: the expiry is not ahead, or too far; the name cannot be shown.
        """
        check_max_requests(self.max_requests)
        if self.expires_at is not None:
            check_expiry(self.expires_at, now)
        if self.name:
            check_name(self.name)
        if not self.changed:
            raise BadRequest(message="no fields to update")


class TokenRules:
    """
    Each change is in the store, and known to the directory, when its Deferred fires. A call that is cancelled may have
    changed something or not.
    """

    def __init__(self, state: State, served: Served | None = None) -> None:
        """
        @param served: the APIs that tokens can be limited to; C{None} if they are not known.
        """
        self.state = state
        self.served = served

    async def issue(self, wanted: TokenRequest, secret: str = "") -> tuple[Token, str]:
        """
        A new token and its secret, which is stored nowhere.

        @param secret: one of L{generate}, where it has to be kept before there is a token; C{""} makes one.
        @raise NotFound: there is no such project.
        @raise ProjectInactive: it is not active.
        """
        project = await self.state.projects.get(wanted.project_id)
        if project is None:
            raise NotFound(message="project not found")
        if not project.is_active:
            raise ProjectInactive(message="cannot create tokens for inactive projects")
        limits = changed(UNLIMITED, self._checked(wanted.limits))
        check_with_defaults(limits, self.state.limits)
        secret = secret or generate(os.urandom)
        token = _token(wanted, secret, self.state.seconds(), limits)
        await self.state.tokens.create(token)
        self.state.directory.token_changed(token)
        return token, secret

    async def get(self, token_id: str) -> Token:
        """
        @raise NotFound: there is none.
        """
        token = await self.state.tokens.get(token_id)
        if token is None:
            raise NotFound(message="token not found")
        return token

    async def find(self, secret: str = "", digest: str = "") -> Token:
        """
        The token that a secret belongs to, with its counts. The secret of before a rotation finds its token too, as
        long as it is good; what comes back is the token as it is.

        @param digest: SHA-256 of the secret in hexadecimal, instead of it.
        @raise BadRequest: none is given, or both.
        @raise NotFound: there is none.
        """
        if bool(secret) == bool(digest):
            raise BadRequest("give one of both", message="token or hash is required")
        await self.state.flush()
        held = await self.state.tokens.by_hash(digest.lower() or token_hash(secret.encode()))
        token = None if held is None else await self.state.tokens.get(held.id)
        if token is None:
            raise NotFound("no token of this database has this secret", message="token not found")
        return token

    async def change(self, token_id: str, update: TokenUpdate, versions: Versions = None) -> Token:
        """
        The token as it is then, with its counts.

        @raise NotFound: there is none.
        @raise PreconditionFailed: it has none of C{versions}.
        @raise BadRequest: see L{TokenUpdate.check}.
        @raise Unprocessable: likewise.
        @raise Conflict: it is a person's, and would be activated again.
        """
        update.check(self.state.seconds())
        await self.state.alone(lambda: self._change(token_id, update, versions))
        return await self.get(token_id)

    async def reset_budget(self, token_id: str, versions: Versions = None) -> Token:
        """
        Count what a token spends anew from now on.

        @raise NotFound: there is none.
        @raise PreconditionFailed: it has none of C{versions}.
        """
        return await self.state.alone(lambda: self._reset_budget(token_id, versions))

    async def left(self, token: Token) -> Sequence[Left]:
        """What is left of each limit of a token."""
        project = await self.state.projects.get(token.project_id)
        return await left_of(self.state.limits, project, token, self.state.seconds())

    async def revoke(self, token_id: str, versions: Versions = None) -> None:
        """
        End a token, and its running exchanges. Idempotent.

        @raise NotFound: there is none.
        @raise PreconditionFailed: it has none of C{versions}.
        """
        await self.state.alone(lambda: self._change(token_id, TokenUpdate(is_active=False), versions))

    async def rotate(
        self, token_id: str, overlap: float, duration: float | None = None, versions: Versions = None
    ) -> tuple[Token, str]:
        """
        Give a token another secret, which comes back beside it.

        @param overlap: seconds that the present secret stays good; 0 ends it at once.
        @param duration: seconds until the token expires; C{None} leaves that as it is.
        @raise NotFound: there is none.
        @raise PreconditionFailed: it has none of C{versions}.
        @raise BadRequest: C{overlap} or C{duration} is out of bounds.
        @raise Conflict: it is revoked, or has expired and no C{duration} is given, or is a person's.
        """
        check_overlap(overlap)
        if duration is not None:
            check_duration(duration, MAX_MINUTES)
        secret = generate(os.urandom)
        return await self.state.alone(lambda: self._rotate(token_id, secret, overlap, duration, versions)), secret

    async def _change(self, token_id: str, update: TokenUpdate, versions: Versions) -> None:
        token = await self.get(token_id)
        _check_activated(token, update)
        limits = self._checked(update.limits)
        if limits:
            check_with_defaults(changed(token.limits, limits), self.state.limits)
        updated = await self.state.tokens.update(
            token_id,
            is_active=update.is_active,
            max_requests=update.max_requests or None,
            unlimited=update.max_requests == 0,
            expires_at=update.expires_at,
            name=update.name,
            metadata=None if update.metadata is None else _text(update.metadata),
            limits=limits,
            version=required_version(versions, token.version),
        )
        self._publish(updated)
        await self.state.settle(token_id)

    async def _reset_budget(self, token_id: str, versions: Versions) -> Token:
        token = await self.get(token_id)
        version = required_version(versions, token.version)
        now = self.state.seconds()
        return self._publish(await self.state.tokens.update(token_id, budget_reset_at=now, version=version))

    def _checked(self, limits: Mapping[str, Any]) -> dict[str, Any]:
        return checked(limits, None if self.served is None else self.served.listed)

    async def _rotate(
        self, token_id: str, secret: str, overlap: float, duration: float | None, versions: Versions
    ) -> Token:
        token = await self.get(token_id)
        version = required_version(versions, token.version)
        now = self.state.seconds()
        _check_rotatable(token, duration, now)
        rotated = await self.state.tokens.rotate(
            token_id,
            token_hash=token_hash(secret.encode()),
            hint=hint(secret),
            previous_until=now + overlap if overlap else None,
            expires_at=None if duration is None else now + duration,
            version=version,
        )
        return self._publish(rotated)

    def _publish(self, token: Token | None) -> Token:
        if token is None:
            raise NotFound(message="token not found")
        self.state.directory.token_changed(token)
        return token


def _token(wanted: TokenRequest, secret: str, now: float, limits: UsageLimits) -> Token:
    return Token(
        str(uuid4()),
        token_hash(secret.encode()),
        hint(secret),
        wanted.project_id,
        expires_at=now + wanted.duration,
        max_requests=wanted.max_requests or None,
        created_at=now,
        name=wanted.name or None,
        metadata=_text(wanted.metadata or {}) or None,
        limits=limits,
    )


def _text(metadata: Mapping[str, str]) -> str:
    return msgspec.json.encode(metadata).decode() if metadata else ""


def _check_activated(token: Token, update: TokenUpdate) -> None:
    """Nobody who was shut out comes back by one of their tokens."""
    if update.is_active and not token.is_active and token.person_id is not None:
        raise Conflict("they get another by signing in again", message="token is a person's")


def _check_rotatable(token: Token, duration: float | None, now: float) -> None:
    if token.person_id is not None:
        raise Conflict("they get another by signing in again", message="token is a person's")
    if not token.is_active:
        raise Conflict("activate it first", message="token is revoked")
    if token.expires_at is not None and token.expires_at <= now and duration is None:
        raise Conflict("give it a new time with duration_minutes", message="token has expired")
