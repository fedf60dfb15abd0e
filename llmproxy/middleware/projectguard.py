"""A guard for requests of projects that are not active, asking a checker of the application's own."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from twisted.logger import Logger
from twisted.python.failure import Failure

from ..errors import InternalError, ProjectInactive, ProxyError, Unavailable
from .auditdenials import note_denial
from .questions import asked

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

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
        unchecked = partial(self._unchecked, request)
        checking = asked(self._checker.is_project_active, principal.project.id, unchecked)
        return checking.addCallback(self._checked, request, inner)

    def _checked(self, is_active: bool, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        if is_active is True:
            return inner(request)
        raise self._noted(ProjectInactive(), "denied", request)

    def _unchecked(self, request: ApiRequest, reason: Failure) -> Failure:
        self._log.failure("whether project {id} is active is not known", reason, id=request.principal.project.id)
        return Failure(self._noted(Unavailable("whether the project is active is not known now"), "error", request))

    def _noted(self, error: ProxyError, outcome: str, request: ApiRequest) -> ProxyError:
        if self._audit is not None:
            request.record.project_id = request.record.project_id or request.principal.project.id
            note_denial(self._audit, "proxy_request", "system", outcome, error, request)
        return error
