"""The context of management operations, and what their resources have in common."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from ...core.roles import may, roles_with
from ...core.sessions import MANAGEMENT_TOKEN
from ...errors import Draining, Forbidden, ProxyError
from ..direct import DirectRequest
from ..jsonresource import JsonResource
from ..operations import Call, Found, Operation, RouteTable
from .auditing import name_call, noted
from .auth import Actor, ManagementAuth, ManagementUnauthorized, TooManyFailures
from .idempotency import Repeats

if TYPE_CHECKING:
    from ...interfaces import IAuditLogger


@frozen(eq=False)
class Parts:
    """
    @ivar draining: whether no more calls are taken.
    """

    auth: ManagementAuth = field(repr=False)
    repeats: Repeats
    audit: IAuditLogger | None = None
    draining: Callable[[], bool] = lambda: False


class ManageResource(JsonResource):
    """The management API: guarded, and every call noted in the audit log."""

    def __init__(self, parts: Parts, table: RouteTable) -> None:
        super().__init__(table)
        self._parts = parts

    async def authorize(self, call: Call) -> None:
        if self._parts.draining():
            raise Draining("the proxy is shutting down", retry_after=5)
        name_call(call)
        request = call.request
        known = request.actor if isinstance(request, DirectRequest) else None
        call.actor = await self._parts.auth.actor(request) if known is None else known

    async def actor(self, request: DirectRequest) -> Actor:
        """
        Who would make a request, for several calls of one page.

        @raise ProxyError: see L{ManagementAuth.actor}.
        """
        return await self._parts.auth.actor(request)

    def permit(self, call: Call, operation: Operation) -> None:
        # OPTIONS needs nothing but to be somebody.
        if operation.needs and not may(call.actor.role, operation.needs):
            roles = " or ".join(roles_with(operation.needs))
            raise Forbidden(f"it takes the role {roles}, and {call.actor.name} is {call.actor.role}")

    async def perform(self, call: Call, operation: Operation) -> Any:
        return await self._parts.repeats.perform(call, operation)

    def refusal(self, found: Found, method: bytes) -> ProxyError:
        error = super().refusal(found, method)
        if method == b"DELETE" and found.path == "/projects/{project_id}":
            error.description = "project deletion is not permitted"
        return error

    def finished(self, call: Call, error: ProxyError | None) -> None:
        audit = self._parts.audit
        # A client that is locked out was noted when that began, and must not fill the log. While the proxy
        # drains, that may be closed.
        if audit is None or isinstance(error, (TooManyFailures, Draining)):
            return
        if isinstance(error, ManagementUnauthorized) and self._parts.auth.is_shut_out(call.request):
            call.details["shut_out"] = True
        if error is not None:
            call.details.setdefault("error", error.message)
        known = call.actor is not None
        if known and call.actor.id == MANAGEMENT_TOKEN and self._parts.auth.has_people:
            call.details["emergency_door"] = True
        # The ids that stand in the path too: a call may be refused before its operation looks at them.
        note = partial(
            audit.log,
            call.action if known and call.action else "admin.access",
            call.actor.name if known else "anonymous",
            _outcome(error),
            **{**(call.path if known else {}), **noted(call), **call.details},
        )
        later = call.request.later if isinstance(call.request, DirectRequest) else None
        if later is None:
            note()
        else:
            later.append(note)


def _outcome(error: ProxyError | None) -> str:
    if error is None:
        return "success"
    if isinstance(error, (ManagementUnauthorized, Forbidden)):
        return "denied"
    return "failure" if error.status < 500 else "error"
