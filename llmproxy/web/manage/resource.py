"""The tree below C{/manage}."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ...core.roles import PERMISSIONS
from ...management.admins import AdminRules
from ...management.projects import ProjectRules
from ...management.sessions import SessionRules
from ...management.state import Served, State
from ...management.tokens import TokenRules
from ..operations import Call, Operation, Routes, RouteTable
from .admins import Admins
from .auth import KnowsPeople, ManagementAuth
from .context import ManageResource, Parts
from .idempotency import Repeats
from .live import Live
from .openapi import document
from .projects import Projects
from .sessions import Sessions
from .tokens import Tokens

if TYPE_CHECKING:
    from ...interfaces import IAdminStore, IAuditLogger, IIdempotencyStore, ISessionStore
    from ..livefeed import LiveFeed


def manage_resource(
    *,
    state: State,
    management_token: str,
    served: Served,
    admins: IAdminStore,
    sessions: ISessionStore | None = None,
    idempotency: IIdempotencyStore,
    feed: LiveFeed | None = None,
    audit: IAuditLogger | None = None,
    people: KnowsPeople | None = None,
    more: Sequence[Routes] = (),
    draining: Callable[[], bool] = lambda: False,
) -> ManageResource:
    """
    The management API, to be put at C{/manage}.

    @param management_token: who knows it may do everything; not empty.
    @param sessions: of the admin pages; C{None} for none.
    @param feed: of what happens now; C{None} for none.
    @param idempotency: what keeps the answers of calls that may be repeated.
    @param audit: called with every call, refused ones too.
    @param people: whom an access token of an identity provider is of; C{None} where there is none.
    @param draining: whether no more calls are taken; those that run are waited for with L{ManageResource.idle}.
    @param more: what else it can do, see L{llmproxy.web.operations}.
    @raise ValueError: an operation does not say what it needs.
    """
    auth = ManagementAuth(state.seconds, management_token, admins, sessions, people)
    parts = Parts(auth, Repeats(state.seconds, idempotency), audit, draining)
    routes = [
        Projects(ProjectRules(state, served)).routes(),
        Tokens(TokenRules(state, served)).routes(),
        Admins(AdminRules(state.seconds, admins)).routes(),
        *([] if sessions is None else [_sessions(state, auth, sessions, admins)]),
        *([] if feed is None else [Live(feed, auth).routes()]),
        *more,
    ]
    _check(routes)
    routes.append(_document(routes))
    return ManageResource(parts, RouteTable(*routes))


def _sessions(state: State, auth: ManagementAuth, sessions: ISessionStore, admins: IAdminStore) -> Routes:
    return Sessions(SessionRules(state.seconds, auth.digest, sessions), admins).routes()


def _check(routes: Sequence[Routes]) -> None:
    for path, methods in (pair for table in routes for pair in table.items()):
        for method, operation in methods.items():
            if operation.needs not in PERMISSIONS:
                raise ValueError(f"{method.decode()} {path} needs {operation.needs!r}: no such permission")


def _document(routes: Sequence[Routes]) -> Routes:
    said: list[msgspec.Raw] = []

    async def show(call: Call) -> msgspec.Raw:
        if not said:
            # No start waits for what hardly anybody asks for.
            said.append(msgspec.Raw(msgspec.json.encode(document(*routes, own))))
        return said[0]

    operation = Operation(
        show, answer=dict[str, Any], needs="document.read", action="document.read", summary="Show this document."
    )
    own: Routes = {"/openapi.json": {b"GET": operation}}
    return own
