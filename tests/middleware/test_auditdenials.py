"""Who was not let in, for the audit log."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import (
    BreakerOpen,
    Draining,
    InvalidToken,
    MissingToken,
    ProjectInactive,
    ProxyError,
    RateLimitExceeded,
    TokenExpired,
    Unavailable,
)
from llmproxy.middleware.auditdenials import AuditDenials

from .fakes import PRINCIPAL, a_request, an_api


class Notes:
    def __init__(self) -> None:
        self.events: list[tuple[str, str, str, dict[str, Any]]] = []

    def log(self, action: str, actor: str, outcome: str, **details: Any) -> None:
        self.events.append((action, actor, outcome, details))


class NoteRefusalTests(SynchronousTestCase):
    def noted(self, error: ProxyError, *, known: bool = False, routed: bool = True) -> Any:
        notes = Notes()
        fields = [(b"X-Correlation-ID", b"c-1"), (b"Authorization", b"Bearer sk-canary")]
        request = a_request(fields=fields, api=an_api() if routed else None, principal=PRINCIPAL if known else None)
        request.record.token_id, request.record.project_id = "t", "p"
        AuditDenials(notes)(error, request)
        return notes.events[0] if notes.events else None

    def test_refusals(self) -> None:
        """Each as what it is: a token that is not good, a project that is not active, a database that is away."""
        for error, event in (
            (MissingToken(), ("token.validate", "anonymous", "denied")),
            (InvalidToken("invalid token format"), ("token.validate", "anonymous", "denied")),
            (TokenExpired(), ("token.validate", "anonymous", "denied")),
            (ProjectInactive(), ("proxy_request", "system", "denied")),
            (Unavailable("the database cannot be asked"), ("proxy_request", "system", "error")),
        ):
            found = self.noted(error)
            self.assertEqual(found[:3], event, (error, event))
            self.assertEqual((found[3]["reason"], found[3]["status"]), (error.code, error.status), (error, event))

    def test_details(self) -> None:
        """Whose token, from where, in which request; no secret."""
        details = self.noted(ProjectInactive())[3]
        self.assertEqual((details["token_id"], details["project_id"], details["correlation_id"]), ("t", "p", "c-1"))
        self.assertTrue({"request_id", "client_ip", "http_method", "endpoint"} <= set(details))
        self.assertNotIn("canary", repr(details))

    def test_others(self) -> None:
        """What is no refusal of access is not noted: a limit, an upstream that is away, the proxy's start and end."""
        self.assertIsNone(self.noted(RateLimitExceeded()))
        self.assertIsNone(self.noted(BreakerOpen(), known=True))
        self.assertIsNone(self.noted(Unavailable("the proxy is starting"), routed=False))
        self.assertIsNone(self.noted(Draining(), routed=False))
