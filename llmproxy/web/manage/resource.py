"""The tree below C{/manage}."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twisted.web.resource import IResource

from ..operations import Routes, RouteTable
from .admins import Admins
from .auth import ManagementAuth
from .parts import KeepsCounts, KeepsTokens, ManageResource, Parts
from .projects import Projects
from .repeating import Repeats
from .tokens import Tokens

if TYPE_CHECKING:
    from ...interfaces import IAdminStore, IAuditLogger, IIdempotencyStore, IProjectStore, ITokenStore


def manage_resource(
    *,
    clock: Any,
    projects: IProjectStore,
    tokens: ITokenStore,
    directory: KeepsTokens,
    quota: KeepsCounts,
    management_token: str,
    admins: IAdminStore,
    idempotency: IIdempotencyStore,
    audit: IAuditLogger | None = None,
    more: Sequence[Routes] = (),
) -> IResource:
    """
    The management API, to be put at C{/manage}.

    @param clock: its C{seconds} are since the epoch.
    @param management_token: who knows it may do everything; not empty.
    @param idempotency: what keeps the answers of calls that may be repeated.
    @param audit: told of every call, refused ones too.
    @param more: what else it can do, see L{llmproxy.web.operations}.
    """
    parts = Parts(
        clock.seconds,
        projects,
        tokens,
        directory,
        quota,
        admins,
        ManagementAuth(clock.seconds, management_token, admins),
        Repeats(clock.seconds, idempotency),
        audit,
    )
    own = (Projects(parts).routes(), Tokens(parts).routes(), Admins(parts).routes())
    return ManageResource(parts, RouteTable(*own, *more))
