"""Requests of projects that are not active."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from llmproxy.composition import chain
from llmproxy.errors import InternalError, ProjectInactive, Unavailable
from llmproxy.interfaces import IAuditLogger, IProjectActiveChecker
from llmproxy.middleware.projectguard import ProjectGuard

from .fakes import PRINCIPAL, Inner, a_request


@implementer(IProjectActiveChecker)
class Checker:
    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def is_project_active(self, project_id: str) -> Deferred[bool]:
        self.asked.append(project_id)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer if isinstance(self.answer, Deferred) else succeed(self.answer)


@implementer(IAuditLogger)
class Audit:
    def __init__(self) -> None:
        self.noted: list[tuple[str, str, str, dict[str, object]]] = []

    def log(self, action: str, actor: str, outcome: str, **details: object) -> None:
        self.noted.append((action, actor, outcome, details))


class ProjectGuardTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.inner, self.audit = Inner(), Audit()

    def ask(self, answer: Any, **request: Any) -> Any:
        self.checker = Checker(answer)
        respond = chain(self.inner, ProjectGuard(self.checker, self.audit))
        return respond(a_request(**{"principal": PRINCIPAL, **request}))

    def test_active(self) -> None:
        """An active project's request goes on, and nothing is noted."""
        self.ask(True)
        self.assertEqual((len(self.inner.requests), self.checker.asked, self.audit.noted), (1, ["p-1"], []))

    def test_inactive(self) -> None:
        """Another's is refused and noted; what is not True is not active."""
        for answer in (False, None, 1, "yes"):
            with self.subTest(answer=answer):
                self.failureResultOf(self.ask(answer), ProjectInactive)
                action, actor, outcome, details = self.audit.noted.pop()
                self.assertEqual((action, actor, outcome), ("proxy_request", "system", "denied"), answer)
                self.assertEqual((details["reason"], details["project_id"]), ("project_inactive", "p-1"), answer)
                self.assertEqual((details["http_method"], details["client_ip"]), ("POST", "192.0.2.7"), answer)
        self.assertEqual(self.inner.requests, [])

    def test_unknown(self) -> None:
        """Where it cannot be found out, the request is refused, and the reason is for operators only."""
        error = self.failureResultOf(self.ask(OSError("db password")), Unavailable).value
        self.assertEqual((error.status, error.code), (503, "service_unavailable"))
        self.assertNotIn("password", str(error))
        self.assertEqual(self.audit.noted[0][2], "error")
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_cancelled_by_itself(self) -> None:
        """A checker whose own work was cancelled could not find it out: nobody has left."""
        error = self.failureResultOf(self.ask(CancelledError()), Unavailable).value
        self.assertEqual((error.status, self.audit.noted[0][2]), (503, "error"))
        self.assertEqual(len(self.flushLoggedErrors(CancelledError)), 1)
        asking: Deferred[bool] = Deferred()
        responding = self.ask(asking)
        asking.cancel()
        self.failureResultOf(responding, Unavailable)
        self.assertEqual((len(self.flushLoggedErrors(CancelledError)), self.inner.requests), (1, []))

    def test_client_leaves(self) -> None:
        """A client that leaves meanwhile ends the question, and is no fault of anybody's."""
        asking: Deferred[bool] = Deferred()
        responding = self.ask(asking)
        responding.cancel()
        self.failureResultOf(responding, CancelledError)
        self.assertEqual((self.audit.noted, self.inner.requests), ([], []))

    def test_order(self) -> None:
        """A guard that stands where nobody is known yet lets nothing pass."""
        self.failureResultOf(self.ask(True, principal=None), InternalError)
        self.assertEqual(self.checker.asked, [])
