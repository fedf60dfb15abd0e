"""People over the management API, and people who ask it."""

from __future__ import annotations

from typing import Any

from llmproxy.core.people.grants import GrantRule, Match, grant_of
from llmproxy.core.people.person import Asserted
from llmproxy.core.tokens import DEVICE
from llmproxy.identityerrors import TokenRefused
from llmproxy.management.people import PeopleRules
from llmproxy.management.state import State
from llmproxy.store.people import PeopleStore
from llmproxy.web.manage.people import PeopleRoutes

from ...store.databases import project
from .api import ManageTestCase, Notes

JWT = "eyJhbGciOiJSUzI1NiJ9.e30.{}"


def asserted(name: str, *groups: str) -> Asserted:
    return Asserted("corp", "https://id", name, f"{name}@x.org", True, name.capitalize(), groups)


class PeopleTests(ManageTestCase):
    def resource(self, *arguments: Any, **more: Any) -> Any:
        database = self.database
        state = State(self.clock.seconds, database.projects, database.tokens, self.directory, self.quota)
        rules = [
            GrantRule(Match(groups=("eng",)), "p1"),
            GrantRule(Match(groups=("admins",)), role="operator"),
            GrantRule(Match(groups=("owners",)), role="owner"),
        ]
        self.people = PeopleRules(state, PeopleStore(self.clock, database), lambda who: grant_of(rules, who))
        self.shown: dict[str, Asserted] = {}
        return super().resource(
            *arguments, **{"people": self.person, "more": [PeopleRoutes(self.people).routes()], **more}
        )

    async def person(self, token: bytes) -> Any:
        """Whom an access token is of, as the identity providers would say."""
        who = self.shown.get(token.decode())
        if who is None:
            raise TokenRefused("the signature is not the provider's")
        return await self.people.sign_in(who), 0.0

    def setUp(self) -> None:
        super().setUp()
        self.successResultOf(self.database.projects.create(project("p1")))

    def done(self, coroutine: Any) -> Any:
        from twisted.internet.defer import Deferred

        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def test_list(self) -> None:
        """Who was seen last first, in pages; by a part of a name, and who is shut out."""
        for name in ("ann", "bob", "cid"):
            self.clock.advance(60)
            self.done(self.people.sign_in(asserted(name, "eng")))
        self.assertEqual(self.walk("/people?limit=2"), [["Cid", "Bob"], ["Ann"]])
        self.assertEqual(self.walk("/people?q=bo"), [["Bob"]])
        bob = self.ask("GET", "/people?q=bo").json[0]
        self.assertEqual(self.ask("POST", f"/people/{bob['id']}/revoke").json["revoked_at"][:4], "2023")
        self.assertEqual(self.walk("/people?is_revoked=true"), [["Bob"]])
        self.assertEqual(self.walk("/people?is_revoked=false"), [["Cid", "Ann"]])
        self.refused(self.ask("GET", "/people?cursor=x"), 400, "invalid cursor")

    def test_one(self) -> None:
        """What is known of somebody; what is done with them is noted with who they are."""
        ann = self.done(self.people.sign_in(asserted("ann", "eng")))
        self.done(self.people.issue(ann, DEVICE, 3600.0, "laptop"))
        said = self.ask("GET", f"/people/{ann.id}").json
        self.assertEqual(
            (said["actor"], said["groups"], said["project_id"], said["role"]), ("corp:ann@x.org", ["eng"], "p1", None)
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

    def test_nobody(self) -> None:
        for method, what in (("GET", ""), ("DELETE", ""), ("GET", "/export"), ("GET", "/tokens"), ("POST", "/revoke")):
            self.refused(self.ask(method, f"/people/nobody{what}"), 404, "person not found")

    def test_no_identity(self) -> None:
        """Without an identity provider there is nobody, and it is said why."""
        self.treq = self.client(super().resource(more=[PeopleRoutes(None).routes()]))
        answer = self.ask("GET", "/people")
        self.assertEqual((answer.status, "has no identity" in answer.json["description"]), (404, True))

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
        ann = self.ask("GET", "/people?q=ann").json[0]["id"]
        self.ask("POST", f"/people/{ann}/revoke")
        self.assertEqual(self.ask("GET", "/self", headers=operator).status, 401)

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
