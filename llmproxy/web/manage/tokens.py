"""C{/manage/tokens}."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType, field

from ...errors import BadRequest, Conflict, NotFound, ProjectInactive
from ...management.limits import changes_of
from ...management.names import project_names
from ...management.tokens import TokenRequest, TokenRules, TokenUpdate
from ...message import Token
from ..operations import Call, Operation, Routes
from .etags import tag, wanted_versions
from .limits import said, view_of_left
from .paging import Paging, given, rows
from .requests import Id, Name, NewToken, Rotation, TokenChange, TokenSecret
from .responses import IssuedToken, TokenView, view_of_issued, view_of_token


class TokenFilter(Paging, forbid_unknown_fields=True):
    project_id: Id = field(default="", name="projectId")
    active: bool | UnsetType = UNSET
    expired: bool | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    project_names: Annotated[bool, Meta(description="Have each say how its project is called.")] = False


class Tokens:
    """What can be done with them."""

    def __init__(self, rules: TokenRules) -> None:
        self._rules = rules

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
                    errors=(Conflict,),
                ),
                b"DELETE": Operation(
                    self.revoke, conditional=True, needs=write, action="token.revoke", summary="Revoke a token."
                ),
            },
            "/tokens/{token_id}/budget/reset": {
                b"POST": Operation(
                    self.reset_budget,
                    answer=TokenView,
                    versioned=True,
                    conditional=True,
                    needs=write,
                    action="token.reset_budget",
                    summary="Count what a token spends anew from now on.",
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
        await self._rules.state.flush()
        tokens = await rows(
            call,
            self._rules.state.tokens.page,
            project_id=query.project_id or None,
            is_active=given(query.active),
            expired=given(query.expired),
            name=given(query.name),
        )
        call.details["token_count"] = len(tokens)
        if query.project_id:
            call.details |= {"filtered_by_project": True, "project_id": query.project_id}
        views = [view_of_token(token) for token in tokens]
        if query.project_names:
            names = await project_names({token.project_id for token in tokens}, self._rules.state.projects)
            for view in views:
                view.project_name = names.get(view.project_id, UNSET)
        return views

    async def create(self, call: Call) -> IssuedToken:
        body: NewToken = call.body
        limits = said(body)
        wanted = TokenRequest(
            body.project_id, body.duration_minutes * 60, body.max_requests, body.name, body.metadata, limits
        )
        call.details |= {"project_id": body.project_id, **({"limits": limits} if limits else {})}
        token, secret = await self._rules.issue(wanted)
        call.details |= {"token_id": token.id, "duration_minutes": body.duration_minutes}
        return _issued(call, token, secret)

    async def find(self, call: Call) -> TokenView:
        body: TokenSecret = call.body
        token = await self._rules.find(body.token, body.hash)
        call.details |= {"token_id": token.id, "project_id": token.project_id}
        return view_of_token(token)

    async def show(self, call: Call) -> TokenView:
        await self._rules.state.flush()
        return await self._shown(call, await self._named(call))

    async def change(self, call: Call) -> TokenView:
        token_id = _id(call)
        update = _update(call.body)
        update.check(self._rules.state.seconds())
        call.details |= _noted(update)
        await self._named(call)
        return await self._shown(call, await self._rules.change(token_id, update, wanted_versions(call)))

    async def reset_budget(self, call: Call) -> TokenView:
        token = await self._named(call)
        return await self._shown(call, await self._rules.reset_budget(token.id, wanted_versions(call)))

    async def revoke(self, call: Call) -> None:
        token = await self._named(call)
        if not token.is_active:
            call.details["already_revoked"] = True
        await self._rules.revoke(token.id, wanted_versions(call))

    async def rotate(self, call: Call) -> IssuedToken:
        body: Rotation = call.body
        known = await self._named(call)
        duration = None if body.duration_minutes is UNSET else body.duration_minutes * 60
        token, secret = await self._rules.rotate(known.id, body.overlap_seconds, duration, wanted_versions(call))
        call.details["overlap_seconds"] = body.overlap_seconds
        return _issued(call, token, secret)

    async def _shown(self, call: Call, token: Token) -> TokenView:
        tag(call, token.version)
        view = view_of_token(token)
        view.limits_left = [view_of_left(left) for left in await self._rules.left(token)] or UNSET
        return view

    async def _named(self, call: Call) -> Token:
        """The token of the path; what is noted of the call says whose it is, however the call ends."""
        token = await self._rules.get(_id(call))
        call.details["project_id"] = token.project_id
        return token


def _id(call: Call) -> str:
    token_id = call.path["token_id"]
    if not token_id:
        raise BadRequest(message="token ID is required")
    call.details["token_id"] = token_id
    return token_id


def _update(body: TokenChange) -> TokenUpdate:
    return TokenUpdate(
        body.is_active,
        body.max_requests,
        None if body.expires_at is UNSET else body.expires_at.timestamp(),
        None if body.name is UNSET else body.name or "",
        None if body.metadata is UNSET else body.metadata or {},
        changes_of(said(body), body.unset_limits),
    )


def _noted(update: TokenUpdate) -> dict[str, object]:
    noted: dict[str, object] = {"updated_fields": update.changed}
    if update.is_active is not None:
        noted["updated_is_active"] = update.is_active
    if update.max_requests is not None:
        noted["updated_max_requests"] = update.max_requests or "unlimited"
    return noted


def _issued(call: Call, token: Token, secret: str) -> IssuedToken:
    tag(call, token.version)
    return view_of_issued(token, secret)
