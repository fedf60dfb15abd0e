"""C{/manage/tokens}."""

from __future__ import annotations

import os
from uuid import uuid4

from msgspec import UNSET, Struct, field

from ...core.tokens import generate, hint, token_hash
from ...errors import BadRequest, NotFound, ProjectInactive
from ...message import Token
from ..operations import Call, Operation, Routes
from .bodies import (
    MAX_MINUTES,
    IssuedToken,
    NewToken,
    TokenChange,
    TokenView,
    check_max_requests,
    moment,
    view_of_token,
)
from .parts import Parts


class TokenFilter(Struct, forbid_unknown_fields=True):
    project_id: str = field(default="", name="projectId")


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
                    needs=read,
                    action="token.list",
                    summary="List tokens, the newest first.",
                ),
                b"POST": Operation(
                    self.create,
                    NewToken,
                    201,
                    answer=IssuedToken,
                    needs=write,
                    action="token.create",
                    summary="Create a token; this answer is the only one that holds its secret.",
                    errors=(NotFound, ProjectInactive),
                ),
            },
            "/tokens/{token_id}": {
                b"GET": Operation(
                    self.show, answer=TokenView, needs=read, action="token.read", summary="Show a token."
                ),
                b"PATCH": Operation(
                    self.change,
                    TokenChange,
                    answer=TokenView,
                    needs=write,
                    action="token.update",
                    summary="Change what is given of a token.",
                ),
                b"DELETE": Operation(self.revoke, needs=write, action="token.revoke", summary="Revoke a token."),
            },
        }

    async def list(self, call: Call) -> list[TokenView]:
        project_id = call.query.project_id or None
        await self._parts.written_down(self._parts.quota.flush())
        tokens = await self._parts.tokens.list(project_id)
        call.details["token_count"] = len(tokens)
        if project_id is not None:
            call.details |= {"filtered_by_project": True, "project_id": project_id}
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
        expires_at = moment(token.expires_at or 0.0)
        return IssuedToken(token.id, secret, expires_at, UNSET if token.max_requests is None else token.max_requests)

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
        )

    async def show(self, call: Call) -> TokenView:
        await self._parts.written_down(self._parts.quota.flush())
        return view_of_token(await self._existing(call))

    async def change(self, call: Call) -> TokenView:
        wanted: TokenChange = call.body
        token_id = _id(call)
        check_max_requests(wanted.max_requests)
        if wanted.is_active is None and wanted.max_requests is None:
            raise BadRequest(message="no fields to update")
        if wanted.is_active is not None:
            call.details["updated_is_active"] = wanted.is_active
        if wanted.max_requests is not None:
            call.details["updated_max_requests"] = wanted.max_requests or "unlimited"
        await self._parts.alone(lambda: self._change(token_id, wanted.is_active, wanted.max_requests))
        return view_of_token(await self._existing(call))

    async def revoke(self, call: Call) -> None:
        token = await self._existing(call)
        if not token.is_active:
            call.details["already_revoked"] = True
        await self._parts.alone(lambda: self._change(token.id, False, None))

    async def _change(self, token_id: str, is_active: bool | None, max_requests: int | None) -> None:
        changed = await self._parts.tokens.update(
            token_id, is_active=is_active, max_requests=max_requests or None, unlimited=max_requests == 0
        )
        if changed is None:
            raise NotFound(message="token not found")
        self._parts.directory.token_changed(changed)
        await self._parts.written_down(self._parts.quota.settle(token_id))

    async def _existing(self, call: Call) -> Token:
        token = await self._parts.tokens.get(_id(call))
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


def _check_new(wanted: NewToken) -> None:
    # The order is the reference's: what is told first when several things are wrong.
    if wanted.duration_minutes > MAX_MINUTES:
        raise BadRequest(f"at most {MAX_MINUTES} minutes", message="duration_minutes exceeds maximum allowed")
    if wanted.duration_minutes <= 0:
        raise BadRequest(message="project_id and duration_minutes are required")
    if not wanted.project_id:
        raise BadRequest(message="project_id is required")
    check_max_requests(wanted.max_requests)
