"""What all operations have in common: they are noted, and say no secrets."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher

from .api import API_KEY, MANAGEMENT_TOKEN, ManageTestCase


class AuditTests(ManageTestCase):
    def test_actions(self) -> None:
        """Every call is noted as what it was, with how it ended."""
        project = self.project()
        token, _ = self.token(project)
        self.ask("GET", f"/tokens/{token}")
        self.ask("PATCH", f"/tokens/{token}", {"max_requests": 0})
        self.ask("PATCH", f"/tokens/{token}", {})
        self.ask("DELETE", f"/tokens/{token}", headers={"User-Agent": "ops/1", "X-Request-ID": "r-1"})
        self.ask("POST", f"/projects/{project}/tokens/revoke")
        self.ask("PATCH", f"/projects/{project}", {"is_active": False})
        self.ask("GET", "/tokens", headers={"Authorization": "Bearer wrong"})
        self.assertEqual(
            [event[:3] for event in self.notes.events],
            [
                ("project.create", "management_api", "success"),
                ("token.create", "management_api", "success"),
                ("token.read", "management_api", "success"),
                ("token.update", "management_api", "success"),
                ("token.update", "management_api", "failure"),
                ("token.revoke", "management_api", "success"),
                ("token.revoke_batch", "management_api", "success"),
                ("project.update", "management_api", "success"),
                ("admin.access", "anonymous", "denied"),
            ],
        )
        self.assertEqual(
            self.notes.events[5][3],
            {
                "http_method": "DELETE",
                "endpoint": f"/manage/tokens/{token}",
                "user_agent": "ops/1",
                "request_id": "r-1",
                "client_ip": "127.0.0.1",
                "token_id": token,
                "project_id": project,
            },
        )
        self.assertEqual(self.notes.events[7][3]["updated_fields"], ["is_active"])

    def test_refused_calls(self) -> None:
        """A call that is refused is noted as what it was, with what it was about, whatever refused it."""
        project = self.project()
        token, _ = self.token(project)
        auditor = self.ask("POST", "/admins", {"name": "a", "role": "auditor"}).json["token"]
        seen = {"Authorization": f"Bearer {auditor}"}
        for method, path, headers, action, names in (
            ("DELETE", f"/projects/{project}", {}, "project.delete", {"project_id": project}),
            ("PUT", f"/projects/{project}", {}, "project.replace", {"project_id": project}),
            ("BREW", f"/tokens/{token}", {}, "token.unknown", {"token_id": token}),
            ("DELETE", f"/tokens/{token}", seen, "token.revoke", {"token_id": token}),
            ("PATCH", f"/projects/{project}", seen, "project.update", {"project_id": project}),
            ("DELETE", "/tokens", {}, "token.delete", {}),
            ("GET", "/nothing/here", {}, "admin.access", {}),
        ):
            self.assertGreaterEqual(self.ask(method, path, headers=headers).status, 400, method)
            noted, _, outcome, details = self.notes.events[-1]
            self.assertEqual((noted, outcome != "success"), (action, True), path)
            self.assertEqual({name: details.get(name) for name in names}, names, path)

    def test_canaries(self) -> None:
        """No secret is in a log, an audit event or an answer, but the token that is issued."""
        seen: list[Any] = []
        globalLogPublisher.addObserver(seen.append)
        self.addCleanup(globalLogPublisher.removeObserver, seen.append)
        project = self.project()
        _, secret = self.token(project)
        answers = [
            self.ask("GET", "/projects"),
            self.ask("GET", f"/projects/{project}"),
            self.ask("PATCH", f"/projects/{project}", {"api_key": API_KEY}),
            self.ask("POST", "/projects", {"name": "x", "api_key": API_KEY, "surplus": 1}),
            self.ask("POST", "/projects", {"name": "tenant", "api_key": API_KEY}),
            self.ask("GET", "/tokens"),
            self.ask("GET", "/tokens", headers={"Authorization": f"Bearer {MANAGEMENT_TOKEN}x"}),
        ]
        shown = repr(seen) + repr(self.notes.events) + repr([answer.body for answer in answers])
        for canary in (API_KEY, MANAGEMENT_TOKEN, secret.decode()):
            self.assertNotIn(canary, shown)

    def test_broken_audit(self) -> None:
        """An audit log that fails is reported, and the answer is sent all the same."""
        self.notes.events = None  # type: ignore[assignment]
        self.assertEqual(self.ask("GET", "/projects").json, [])
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)


class FailingStoreTests(ManageTestCase):
    def test_no_database(self) -> None:
        """While the database is away, the API says so, and to come back."""
        self.successResultOf(self.database.close())
        for method, path, body in (
            ("GET", "/projects", None),
            ("POST", "/projects", {"name": "n", "api_key": "k"}),
            ("GET", "/tokens", None),
            ("PATCH", "/tokens/x", {"is_active": False}),
        ):
            answer = self.ask(method, path, body)
            self.refused(answer, 503, "Service temporarily unavailable")
            self.assertEqual(answer.header("retry-after"), "1", (method, path, body))


class OrderTests(ManageTestCase):
    def test_one_change_at_a_time(self) -> None:
        """Of two changes at once, what is kept warm is what is stored."""
        project = self.project()
        _, secret = self.token(project)
        self.principal(secret)
        store = self.database.projects
        held: list[tuple[Deferred[Any], Deferred[Any]]] = []

        class Slow:
            get = store.get

            def update(self, *arguments: Any, **changes: Any) -> Deferred[Any]:
                answer: Deferred[Any] = Deferred()
                held.append((answer, store.update(*arguments, **changes)))
                return answer

        self.treq = self.client(self.resource(Slow()))
        headers = {"Authorization": f"Bearer {MANAGEMENT_TOKEN}"}
        for state in (b"false", b"true"):
            self.treq.request(
                "PATCH",
                f"http://proxy.example/manage/projects/{project}",
                headers=headers,
                data=b'{"is_active": %s}' % state,
            )
        self.assertEqual(len(held), 1)
        while held:
            answer, result = held.pop(0)
            result.chainDeferred(answer)
        self.assertTrue(self.principal(secret).project.is_active)
