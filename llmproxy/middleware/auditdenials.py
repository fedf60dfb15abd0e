"""Audit events for requests that were refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.identifiers import correlation_id_of
from ..errors import ProjectInactive, Unauthorized, Unavailable

if TYPE_CHECKING:
    from ..errors import ProxyError
    from ..interfaces import IAuditLogger
    from ..message import ApiRequest, Record


class AuditDenials:
    """
    Called with the errors that L{llmproxy.middleware.errorresponses.ErrorResponses} answers, so that it costs a request
    nothing that is let in.

    Noted are tokens that are not good, projects that are not active, and that neither could be found out. What comes
    later, of a caller who is known, is no refusal of access: it stands in the access log.
    """

    def __init__(self, audit: IAuditLogger) -> None:
        self._audit = audit

    def __call__(self, error: ProxyError, request: ApiRequest) -> None:
        if request.principal_if_known is not None or request.route_if_found is None:
            return
        if isinstance(error, Unauthorized):
            note_denial(self._audit, "token.validate", "anonymous", "denied", error, request)
        elif isinstance(error, ProjectInactive):
            note_denial(self._audit, "proxy_request", "system", "denied", error, request)
        elif isinstance(error, Unavailable):
            note_denial(self._audit, "proxy_request", "system", "error", error, request)


def note_denial(
    audit: IAuditLogger, action: str, actor: str, outcome: str, error: ProxyError, request: ApiRequest
) -> None:
    """Note that C{request} is answered with C{error}."""
    record = request.record
    audit.log(
        action,
        actor,
        outcome,
        reason=error.code,
        error=error.description or error.message,
        project_id=record.project_id,
        token_id=record.token_id,
        request_id=record.request_id,
        correlation_id=correlation_id_of(request.fields),
        client_ip=record.client,
        http_method=record.method,
        endpoint=record.path,
        user_agent=record.user_agent,
        api=record.api,
        status=error.status,
        **_certificate(record),
    )


def _certificate(record: Record) -> dict[str, object]:
    """Who the client is by its certificate, where its port has asked for one."""
    details = record.details or {}
    return {name: details[name] for name in ("client_certificate",) if name in details}
