"""People over the management API."""

from __future__ import annotations

from typing import Any

from llmproxy.core.people.person import Asserted
from llmproxy.core.tokens import DEVICE
from llmproxy.errors import Unavailable
from llmproxy.identityerrors import TokenRefused

from ...store.databases import NOW
from ...tables import row
from ...usagereports import an_entry
from .api import ManageTestCase, Notes
from .peopleapi import PeopleManageTestCase

JWT = "eyJhbGciOiJSUzI1NiJ9.e30.{}"


def asserted(name: str, *groups: str) -> Asserted:
    return Asserted("corp", "https://id", name, f"{name}@x.org", True, name.capitalize(), groups)


class PeopleTests(PeopleManageTestCase):
    def resource(self, projects: Any = None, tokens: Any = None, **more: Any) -> Any:
        self.shown: dict[str, Asserted] = {}
        return super().resource(projects, tokens, **{"people": self.person, **more})

    async def person(self, token: bytes) -> Any:
        """Whom an access token is of, as the identity providers would say."""
        who = self.shown.get(token.decode())
        if who is None:
            raise TokenRefused("the signature is not the provider's")
        return await self.people.sign_in(who), 0.0

    def test_list(self) -> None:
        """Who signed in last comes first, with devices and what was spent; pages, a text, and who is shut out."""
        self.reports.entries = [
            an_entry(number, NOW - 86_400.0 * number, person_id=self.ann.id) for number in (1, 2, 40)
        ]
        self.let_in(self.ann)
        found = {each["name"]: each for each in self.ask("GET", "/people").json}
        self.assertEqual(set(found), {"Ann", "Eve"})
        ann, eve = found["Ann"], found["Eve"]
        self.assertEqual((ann["requests"], ann["cost"], ann["devices"]), (2, "0.02", 1))
        self.assertEqual((eve["requests"], eve["cost"], eve["devices"], eve["role"]), (0, "0", 0, "owner"))
        self.assertEqual((ann["email"], ann["groups"], ann["limits"]), ("ann@x.org", ["eng"], {"rpm_limit": 5}))
        self.assertEqual((ann["project_id"], ann["revoked_at"], ann["subject"]), ("p1", None, "u1"))
        self.assertNotIn("subject_key", ann)
        self.assertEqual(len(self.walk("/people?limit=1", "name")), 2)
        for query, expected in (
            ("?q=EVE", ["Eve"]),
            ("?is_revoked=true", []),
            ("?is_revoked=false&q=ann%40", ["Ann"]),
        ):
            with row(query):
                self.assertEqual([each["name"] for each in self.ask("GET", f"/people{query}").json], expected)
        self.assertEqual(self.ask("GET", "/people?spent_since=60d&q=ann").json[0]["requests"], 3)
        self.refused(self.ask("GET", "/people?spent_since=soon"), 400, "invalid query")
        self.refused(self.ask("GET", "/people?cursor=x"), 400, "invalid cursor")

    def test_no_usage(self) -> None:
        """While usage cannot be asked for, people are shown, and nothing is said of what they spent."""
        self.reports.broken = [Unavailable("away")]
        [ann] = self.ask("GET", "/people?q=ann").json
        self.assertEqual((ann["requests"], ann["cost"]), (None, None))

    def test_one(self) -> None:
        """One is shown with what is left of the limits; who is not there is a 404."""
        shown = self.ask("GET", f"/people/{self.ann.id}").json
        self.assertEqual([(each["limit"], each["value"]) for each in shown["limits_left"]], [("rpm_limit", 5)])
        for method, path in (
            ("GET", "/people/x"),
            ("DELETE", "/people/x"),
            ("POST", "/people/x/revoke"),
            ("POST", "/people/x/reinstate"),
            ("POST", "/people/x/budget/reset"),
            ("GET", "/people/x/export"),
            ("GET", "/people/x/usage"),
            ("GET", "/people/x/devices"),
            ("GET", "/people/x/tokens"),
        ):
            with row(method, path):
                self.refused(self.ask(method, path), 404, "person not found")
        self.refused(self.ask("DELETE", f"/people/{self.ann.id}/devices/x"), 404, "device not found")

    def test_shut_out(self) -> None:
        """Who is shut out has no token that is good, until they are let in and sign in again."""
        token, secret = self.done(self.people.issue(self.ann, DEVICE, 3600.0))
        self.assertTrue(self.is_good(token.id))
        shown = self.ask("POST", f"/people/{self.ann.id}/revoke").json
        self.assertIsNotNone(shown["revoked_at"])
        self.assertFalse(self.is_good(token.id))
        self.assertEqual(len(self.ask("GET", "/people?is_revoked=true").json), 1)
        self.assertIsNone(self.ask("POST", f"/people/{self.ann.id}/reinstate").json["revoked_at"])
        self.assertFalse(self.is_good(token.id))
        [noted] = [each for each in self.notes.events if each[0] == "person.revoke"]
        self.assertIn(self.ann.id, repr(noted))
        self.assertNotIn(secret, repr(self.notes.events))

    def test_roles(self) -> None:
        """Operators take care of people, but not of those who have a role; what is stored of them is for owners."""
        for role, method, path, status in (
            ("auditor", "GET", "/people", 200),
            ("auditor", "POST", f"/people/{self.ann.id}/revoke", 403),
            ("auditor", "GET", f"/people/{self.ann.id}/export", 403),
            ("operator", "POST", f"/people/{self.ann.id}/revoke", 200),
            ("operator", "POST", f"/people/{self.eve.id}/revoke", 403),
            ("operator", "POST", f"/people/{self.eve.id}/reinstate", 403),
            ("operator", "DELETE", f"/people/{self.ann.id}", 403),
            ("owner", "POST", f"/people/{self.eve.id}/revoke", 200),
        ):
            with row(role, method, path):
                self.assertEqual(self.as_role(role, method, path).status, status)

    def test_budget(self) -> None:
        """A budget begins anew."""
        self.assertIsNotNone(self.ask("POST", f"/people/{self.ann.id}/budget/reset").json["budget_reset_at"])

    def test_export_and_delete(self) -> None:
        """All that is stored is given out, and can be taken away."""
        found = self.ask("GET", f"/people/{self.ann.id}/export")
        self.assertEqual(found.json["person"]["email"], "ann@x.org")
        self.assertEqual(self.ask("DELETE", f"/people/{self.ann.id}").status, 204)
        self.refused(self.ask("GET", f"/people/{self.ann.id}"), 404, "person not found")

    def test_usage(self) -> None:
        """What somebody used is summed up as for anything else, and what others used is not in it."""
        self.reports.entries = [
            an_entry(number, NOW - 60.0, person_id=person.id) for number, person in enumerate((self.ann, self.eve))
        ]
        report = self.ask("GET", f"/people/{self.ann.id}/usage?group_by=model").json
        self.assertEqual((report["totals"]["requests"], len(report["data"])), (1, 1))

    def test_devices(self) -> None:
        """Devices are listed and ended, each by its own person."""
        token_id = self.let_in(self.ann)
        [shown] = self.ask("GET", f"/people/{self.ann.id}/devices").json
        self.assertEqual((shown["program"], shown["device"], shown["ended_at"]), ("claude-cli/2.1", "laptop", None))
        self.assertFalse({"selector_hash", "secret_hash", "token_id"} & shown.keys())
        self.refused(self.ask("DELETE", f"/people/{self.eve.id}/devices/d1"), 404, "device not found")
        self.assertTrue(self.is_good(token_id))
        self.assertEqual(self.ask("DELETE", f"/people/{self.ann.id}/devices/d1").status, 204)
        self.assertFalse(self.is_good(token_id))
        [shown] = self.ask("GET", f"/people/{self.ann.id}/devices").json
        self.assertEqual(shown["ended_because"], "revoked")

    def test_known(self) -> None:
        """What is known of somebody; what is done with them is noted with who they are."""
        ann = self.done(self.people.sign_in(asserted("ann", "staff")))
        self.done(self.people.issue(ann, DEVICE, 3600.0, "laptop"))
        said = self.ask("GET", f"/people/{ann.id}").json
        self.assertEqual(
            (said["actor"], said["groups"], said["project_id"], said["role"]), ("corp:ann@x.org", ["staff"], "p1", None)
        )
        tokens = self.ask("GET", f"/people/{ann.id}/tokens").json
        self.assertEqual(
            [(each["name"], each["kind"], each["is_active"]) for each in tokens], [("laptop", "device", True)]
        )
        self.ask("POST", f"/people/{ann.id}/revoke")
        self.assertFalse(self.ask("GET", f"/people/{ann.id}/tokens").json[0]["is_active"])
        self.assertIsNone(self.ask("POST", f"/people/{ann.id}/reinstate").json["revoked_at"])
        self.assertEqual(self.ask("GET", f"/people/{ann.id}/export").json["person"]["email"], "ann@x.org")
        self.assertEqual(self.ask("DELETE", f"/people/{ann.id}").status, 204)
        actions = {(action, outcome): details for action, _, outcome, details in self.notes.events}
        self.assertEqual(actions["person.revoke", "success"]["person"], "corp:ann@x.org")
        self.assertNotIn("ann@", repr(actions["person.delete", "success"]))

    def as_somebody(self, name: str, *groups: str) -> Any:
        token = JWT.format(name)
        self.shown[token] = asserted(name, *groups)
        return {"Authorization": f"Bearer {token}"}

    def test_callers(self) -> None:
        """An access token opens this API by the role of its owner, who is named by what the provider vouches for."""
        operator, owner = self.as_somebody("ann", "admins"), self.as_somebody("eve", "owners")
        self.assertEqual(self.ask("GET", "/self", headers=operator).json["role"], "operator")
        self.assertEqual(self.ask("GET", "/admins", headers=operator).status, 403)
        self.assertEqual(self.ask("GET", "/admins", headers=owner).status, 200)
        self.assertEqual(self.notes.events[-1][1], "corp:eve@x.org")
        somebody = self.ask("GET", "/people", headers=operator).json[0]["id"]
        self.assertEqual(self.ask("GET", f"/people/{somebody}/export", headers=operator).status, 403)
        self.refused(self.ask("GET", "/self", headers=self.as_somebody("bob", "eng")), 403, "not allowed")
        self.refused(
            self.ask("GET", "/self", headers={"Authorization": f"Bearer {JWT.format('x')}"}),
            401,
            TokenRefused.message,
        )
        # Another Ann is there since the beginning, and who signed in at the same moment has no order.
        [ann] = [each["id"] for each in self.ask("GET", "/people?q=ann").json if each["subject"] == "ann"]
        self.ask("POST", f"/people/{ann}/revoke")
        self.assertEqual(self.ask("GET", "/self", headers=operator).status, 401)

    def test_no_session(self) -> None:
        """An access token begins no session: not one of its owner, and none of anybody else."""
        before = self.ask("GET", "/sessions?of=all").json
        for groups in ("admins", "owners"):
            answer = self.ask("POST", "/sessions", headers=self.as_somebody("ann", groups))
            self.refused(answer, 403, "not allowed")
        self.assertEqual(self.ask("GET", "/sessions?of=all").json, before)

    def test_guesses(self) -> None:
        """Who guesses access tokens is locked out as who guesses others."""
        for _ in range(11):
            answer = self.ask("GET", "/self", headers={"Authorization": f"Bearer {JWT.format('x')}"})
        self.assertEqual(answer.status, 429)

    def test_emergency_door(self) -> None:
        """The management token is the door for emergencies, and the audit log says who came by it."""
        self.ask("GET", "/self")
        self.assertTrue(self.notes.events[-1][3]["emergency_door"])
        self.ask("GET", "/self", headers=self.as_somebody("ann", "admins"))
        self.assertNotIn("emergency_door", self.notes.events[-1][3])
        # Where nobody signs in otherwise it is the usual one.
        self.notes = Notes()
        self.treq = self.client(ManageTestCase.resource(self))
        self.ask("GET", "/self")
        self.assertNotIn("emergency_door", self.notes.events[-1][3])
