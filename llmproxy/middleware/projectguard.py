"""A guard for requests of projects that are not active, asking a checker of the application's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.logger import Logger

from ..errors import InternalError, ProjectInactive, ProxyError, Unavailable
from .auditdenials import note_denial

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from ..interfaces import IAuditLogger, IProjectActiveChecker, Responder
    from ..message import ApiRequest, ApiResponse


class ProjectGuard:
    """
    Refuses with L{ProjectInactive} (403) what belongs to a project that is not active, and with L{Unavailable} (503)
    what cannot be decided. Both are noted in the audit log.

    It stands inside of what sets C{request.principal}; a request without one is a fault in the order of the chain.

    @param audit: C{None} notes nothing.
    """

    _log = Logger()

    def __init__(self, checker: IProjectActiveChecker, audit: IAuditLogger | None = None) -> None:
        self._checker = checker
        self._audit = audit

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        principal = request.principal_if_known
        if principal is None:
            self._log.error("a project guard must stand inside of what sets the principal of a request")
            raise InternalError("the project of the request is not known")
        checking = maybeDeferred(self._checker.is_project_active, principal.project.id)
        return checking.addCallbacks(self._checked, self._unchecked, (request, inner), {}, (request,))

    def _checked(self, is_active: bool, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        if is_active is True:
            return inner(request)
        raise self._noted(ProjectInactive(), "denied", request)

    def _unchecked(self, reason: Failure, request: ApiRequest) -> ApiResponse:
        if reason.check(CancelledError):
            reason.raiseException()
        self._log.failure("whether project {id} is active is not known", reason, id=request.principal.project.id)
        raise self._noted(Unavailable("whether the project is active is not known now"), "error", request)

    def _noted(self, error: ProxyError, outcome: str, request: ApiRequest) -> ProxyError:
        if self._audit is not None:
            request.record.project_id = request.record.project_id or request.principal.project.id
            note_denial(self._audit, "proxy_request", "system", outcome, error, request)
        return error
