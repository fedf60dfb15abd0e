"""C{/manage/tokens}."""

from __future__ import annotations

import os
from typing import Any
from uuid import uuid4

import msgspec
from msgspec import UNSET, UnsetType, field

from ...core.tokens import generate, hint, token_hash
from ...errors import BadRequest, Conflict, NotFound, ProjectInactive
from ...message import Token
from ..operations import Call, Operation, Routes
from .context import Parts
from .etags import tag, wanted_version
from .paging import Paging, given, rows
from .requests import (
    MAX_MINUTES,
    Id,
    Name,
    NewToken,
    Rotation,
    TokenChange,
    TokenSecret,
    check_expiry,
    check_max_requests,
    check_name,
)
from .responses import IssuedToken, TokenView, view_of_issued, view_of_token


class TokenFilter(Paging, forbid_unknown_fields=True):
    project_id: Id = field(default="", name="projectId")
    active: bool | UnsetType = UNSET
    expired: bool | UnsetType = UNSET
    name: Name | UnsetType = UNSET


class Tokens:
    """What can be done with them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def routes(self) -> Routes:
        read, write = "token.read", "token.write"
        return {
            "/tokens": {
                b"GET": Operation(
                    self.list,
                    query=TokenFilter,
                    answer=list[TokenView],
                    paged=True,
                    needs=read,
                    action="token.list",
                    summary="List tokens, the newest first.",
                ),
                b"POST": Operation(
                    self.create,
                    NewToken,
                    201,
                    answer=IssuedToken,
                    versioned=True,
                    needs=write,
                    action="token.create",
                    summary="Create a token; this answer is the only one that holds its secret.",
                    errors=(NotFound, ProjectInactive),
                ),
            },
            "/tokens/find": {
                b"POST": Operation(
                    self.find,
                    TokenSecret,
                    answer=TokenView,
                    needs=read,
                    action="token.find",
                    summary="Find the token that a secret belongs to, to revoke one that was leaked.",
                    errors=(NotFound,),
                ),
            },
            "/tokens/{token_id}": {
                b"GET": Operation(
                    self.show,
                    answer=TokenView,
                    versioned=True,
                    needs=read,
                    action="token.read",
                    summary="Show a token.",
                ),
                b"PATCH": Operation(
                    self.change,
                    TokenChange,
                    answer=TokenView,
                    versioned=True,
                    conditional=True,
                    needs=write,
                    action="token.update",
                    summary="Change what is given of a token.",
                ),
                b"DELETE": Operation(
                    self.revoke, conditional=True, needs=write, action="token.revoke", summary="Revoke a token."
                ),
            },
            "/tokens/{token_id}/rotate": {
                b"POST": Operation(
                    self.rotate,
                    Rotation,
                    answer=IssuedToken,
                    may_be_empty=True,
                    versioned=True,
                    conditional=True,
                    needs=write,
                    action="token.rotate",
                    summary="Give a token another secret; this answer is the only one that holds it.",
                    errors=(Conflict,),
                ),
            },
        }

    async def list(self, call: Call) -> list[TokenView]:
        query: TokenFilter = call.query
        await self._parts.written_down(self._parts.quota.flush())
        tokens = await rows(
            call,
            self._parts.tokens.page,
            project_id=query.project_id or None,
            is_active=given(query.active),
            expired=given(query.expired),
            name=given(query.name),
        )
        call.details["token_count"] = len(tokens)
        if query.project_id:
            call.details |= {"filtered_by_project": True, "project_id": query.project_id}
        return [view_of_token(token) for token in tokens]

    async def create(self, call: Call) -> IssuedToken:
        wanted: NewToken = call.body
        _check_new(wanted)
        project = await self._parts.projects.get(wanted.project_id)
        call.details["project_id"] = wanted.project_id
        if project is None:
            raise NotFound(message="project not found")
        if not project.is_active:
            raise ProjectInactive(message="cannot create tokens for inactive projects")
        secret = generate(os.urandom)
        token = self._token(secret, wanted)
        await self._parts.tokens.create(token)
        self._parts.directory.token_changed(token)
        call.details |= {"token_id": token.id, "duration_minutes": wanted.duration_minutes}
        return _issued(call, token, secret)

    async def find(self, call: Call) -> TokenView:
        wanted: TokenSecret = call.body
        if bool(wanted.token) == bool(wanted.hash):
            raise BadRequest("give one of both", message="token or hash is required")
        await self._parts.written_down(self._parts.quota.flush())
        # The secret of before a rotation finds its token too; what is shown is the token as it is.
        held = await self._parts.tokens.by_hash(wanted.hash.lower() or token_hash(wanted.token.encode()))
        token = None if held is None else await self._parts.tokens.get(held.id)
        if token is None:
            raise NotFound("no token of this database has this secret", message="token not found")
        call.details |= {"token_id": token.id, "project_id": token.project_id}
        return view_of_token(token)

    async def show(self, call: Call) -> TokenView:
        await self._parts.written_down(self._parts.quota.flush())
        return _shown(call, await self._existing(call))

    async def change(self, call: Call) -> TokenView:
        wanted: TokenChange = call.body
        _id(call)
        check_max_requests(wanted.max_requests)
        changes = self._changes(wanted)
        if not changes:
            raise BadRequest(message="no fields to update")
        if wanted.is_active is not None:
            call.details["updated_is_active"] = wanted.is_active
        if wanted.max_requests is not None:
            call.details["updated_max_requests"] = wanted.max_requests or "unlimited"
        call.details["updated_fields"] = [name for name in changes if name != "unlimited"]
        await self._parts.alone(lambda: self._change(call, changes))
        return _shown(call, await self._existing(call))

    async def revoke(self, call: Call) -> None:
        token = await self._existing(call)
        if not token.is_active:
            call.details["already_revoked"] = True
        await self._parts.alone(lambda: self._change(call, {"is_active": False}))

    async def rotate(self, call: Call) -> IssuedToken:
        secret = generate(os.urandom)
        token = await self._parts.alone(lambda: self._rotate(call, secret))
        return _issued(call, token, secret)

    def _token(self, secret: str, wanted: NewToken) -> Token:
        now = self._parts.seconds()
        return Token(
            str(uuid4()),
            token_hash(secret.encode()),
            hint(secret),
            wanted.project_id,
            expires_at=now + wanted.duration_minutes * 60,
            max_requests=wanted.max_requests or None,
            created_at=now,
            name=wanted.name or None,
            metadata=_text(wanted.metadata) or None,
        )

    def _changes(self, wanted: TokenChange) -> dict[str, Any]:
        """What is to be changed, as the store wants it."""
        changes: dict[str, Any] = {}
        if wanted.is_active is not None:
            changes["is_active"] = wanted.is_active
        if wanted.max_requests is not None:
            changes |= {"max_requests": wanted.max_requests or None, "unlimited": wanted.max_requests == 0}
        if wanted.expires_at is not UNSET:
            changes["expires_at"] = wanted.expires_at.timestamp()
            check_expiry(changes["expires_at"], self._parts.seconds())
        if wanted.name is not UNSET:
            if wanted.name:
                check_name(wanted.name)
            changes["name"] = wanted.name or ""
        if wanted.metadata is not UNSET:
            changes["metadata"] = _text(wanted.metadata)
        return changes

    async def _change(self, call: Call, changes: dict[str, Any]) -> None:
        token = await self._existing(call)
        version = wanted_version(call, token.version)
        self._changed(await self._parts.tokens.update(token.id, version=version, **changes))
        await self._parts.written_down(self._parts.quota.settle(token.id))

    async def _rotate(self, call: Call, secret: str) -> Token:
        wanted: Rotation = call.body
        token = await self._existing(call)
        version = wanted_version(call, token.version)
        now = self._parts.seconds()
        _check_rotatable(token, wanted, now)
        call.details |= {"overlap_seconds": wanted.overlap_seconds}
        return self._changed(
            await self._parts.tokens.rotate(
                token.id,
                token_hash=token_hash(secret.encode()),
                hint=hint(secret),
                previous_until=now + wanted.overlap_seconds if wanted.overlap_seconds else None,
                expires_at=None if wanted.duration_minutes is UNSET else now + wanted.duration_minutes * 60,
                version=version,
            )
        )

    def _changed(self, token: Token | None) -> Token:
        if token is None:
            raise NotFound(message="token not found")
        self._parts.directory.token_changed(token)
        return token

    async def _existing(self, call: Call) -> Token:
        token_id = _id(call)
        token = await self._parts.tokens.get(token_id)
        if token is None:
            raise NotFound(message="token not found")
        call.details["project_id"] = token.project_id
        return token


def _id(call: Call) -> str:
    token_id = call.path["token_id"]
    if not token_id:
        raise BadRequest(message="token ID is required")
    call.details["token_id"] = token_id
    return token_id


def _shown(call: Call, token: Token) -> TokenView:
    tag(call, token.version)
    return view_of_token(token)


def _issued(call: Call, token: Token, secret: str) -> IssuedToken:
    tag(call, token.version)
    return view_of_issued(token, secret)


def _text(metadata: dict[str, str] | None) -> str:
    return msgspec.json.encode(metadata).decode() if metadata else ""


def _check_new(wanted: NewToken) -> None:
    # The order is the reference's: what is told first when several things are wrong.
    if wanted.duration_minutes > MAX_MINUTES:
        raise BadRequest(f"at most {MAX_MINUTES} minutes", message="duration_minutes exceeds maximum allowed")
    if wanted.duration_minutes <= 0:
        raise BadRequest(message="project_id and duration_minutes are required")
    if not wanted.project_id:
        raise BadRequest(message="project_id is required")
    check_max_requests(wanted.max_requests)
    if wanted.name:
        check_name(wanted.name)


def _check_rotatable(token: Token, wanted: Rotation, now: float) -> None:
    if not token.is_active:
        raise Conflict("activate it first", message="token is revoked")
    if token.expires_at is not None and token.expires_at <= now and wanted.duration_minutes is UNSET:
        raise Conflict("give it a new time with duration_minutes", message="token has expired")
