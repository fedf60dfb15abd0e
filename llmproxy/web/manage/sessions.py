"""C{/manage/sessions}: who is signed in at the admin pages."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from ...core.roles import may
from ...core.sessions import MANAGEMENT_TOKEN, ends_at, role_of
from ...errors import Forbidden
from ...interfaces import IAdminStore
from ...management.sessions import Known, SessionRules
from ...message import Admin, Role
from ..clientaddress import client_of
from ..operations import Call, NoQuery, Operation, Routes
from .auth import MANAGEMENT_ACTOR, Actor
from .responses import Moment, moment


class NewSession(Struct, forbid_unknown_fields=True):
    keep: Annotated[bool, Meta(description="Whether it outlives the browser: 30 days at most, else 12 hours.")] = False
    client: Annotated[
        str, Meta(max_length=64, description="The address of the browser, where an interface asks for it.")
    ] = ""
    agent: Annotated[str, Meta(max_length=1024, description="The browser, likewise.")] = ""


class WhichSessions(NoQuery, forbid_unknown_fields=True):
    of: Annotated[Literal["self", "all"], Meta(description="One's own, or those of everybody.")] | UnsetType = UNSET


class SessionView(Struct):
    """@ivar ends_at: if nothing more is asked with it; C{expires_at} is when it ends in any case."""

    id: str
    name: str
    role: Role
    is_current: bool
    kept: bool
    client: str
    agent: str
    created_at: Moment
    seen_at: Moment
    ends_at: Moment
    expires_at: Moment


class IssuedSession(Struct):
    """The only answer that ever holds a session's secret."""

    id: str
    secret: str
    name: str
    role: Role
    kept: bool
    expires_at: Moment


class EndedSessions(Struct):
    ended_count: int


class Sessions:
    """What can be done with them. A secret is shown as a bearer token, by the pages and never by a browser."""

    def __init__(self, rules: SessionRules, admins: IAdminStore) -> None:
        self._rules = rules
        self._admins = admins

    def routes(self) -> Routes:
        needs = "session.own"
        return {
            "/sessions": {
                b"GET": Operation(
                    self.list,
                    query=WhichSessions,
                    answer=list[SessionView],
                    needs=needs,
                    action="session.list",
                    summary="List sessions of the admin pages: one's own, and for who may see admins those of all.",
                ),
                b"POST": Operation(
                    self.create,
                    NewSession,
                    201,
                    answer=IssuedSession,
                    may_be_empty=True,
                    needs=needs,
                    action="session.create",
                    summary="Sign in; this answer is the only one that holds the session's secret.",
                ),
                b"DELETE": Operation(
                    self.end_all,
                    query=WhichSessions,
                    answer=EndedSessions,
                    needs=needs,
                    action="session.end_all",
                    summary="End all of one's own sessions, or as an owner those of everybody.",
                ),
            },
            "/sessions/{session_id}": {
                b"DELETE": Operation(self.end, needs=needs, action="session.end", summary="End a session."),
            },
        }

    async def list(self, call: Call) -> list[SessionView]:
        actor: Actor = call.actor
        query: WhichSessions = call.query
        everybody = may(actor.role, "admin.read") and query.of != "self"
        if query.of == "all" and not everybody:
            raise Forbidden("those of others are for who may see admins")
        found = await self._rules.list(None if everybody else actor.id)
        return [_view(known, actor.session) for known in found]

    async def create(self, call: Call) -> IssuedSession:
        actor: Actor = call.actor
        body: NewSession = call.body
        if actor.session:
            raise Forbidden("a session begins with the management token, or the token of an admin")
        admin = await self._admin(actor)
        client = body.client or client_of(call.request)
        agent = body.agent or (call.request.getHeader(b"user-agent") or b"").decode("utf-8", "replace")
        session, secret = await self._rules.begin(admin, body.keep, client, agent)
        call.details |= {"session_id": session.id, "kept": session.kept}
        return IssuedSession(session.id, secret, actor.name, actor.role, session.kept, moment(session.expires_at))

    async def end(self, call: Call) -> None:
        actor: Actor = call.actor
        call.details["session_id"] = call.path["session_id"]
        known = await self._rules.end(call.path["session_id"], actor.id, may(actor.role, "admin.write"))
        call.details["session_of"] = _name(known[1])

    async def end_all(self, call: Call) -> EndedSessions:
        actor: Actor = call.actor
        query: WhichSessions = call.query
        everybody = query.of == "all"
        if everybody and not may(actor.role, "admin.write"):
            raise Forbidden("those of others are for owners to end")
        count = await self._rules.end_all(None if everybody else actor.id)
        call.details |= {"ended_count": count, "of": "all" if everybody else "self"}
        return EndedSessions(count)

    async def _admin(self, actor: Actor) -> Admin | None:
        if actor.id == MANAGEMENT_TOKEN:
            return None
        admin = await self._admins.get(actor.id)
        if admin is None:
            # Somebody with an access token, or an admin who is gone: C{None} would be the owner of all.
            raise Forbidden("people sign in at the pages by their identity provider")
        return admin


def _view(known: Known, current: str) -> SessionView:
    session, admin = known
    return SessionView(
        session.id,
        _name(admin),
        role_of(admin),
        session.id == current,
        session.kept,
        session.client,
        session.agent,
        moment(session.created_at),
        moment(session.seen_at),
        moment(ends_at(session)),
        moment(session.expires_at),
    )


def _name(admin: Admin | None) -> str:
    return MANAGEMENT_ACTOR if admin is None else admin.name
