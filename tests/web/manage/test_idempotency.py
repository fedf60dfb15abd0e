"""Calls that are repeated and not made twice."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import text
from twisted.internet.defer import Deferred, fail

from llmproxy.errors import OutcomeUnknown, Unavailable

from .api import MANAGEMENT_TOKEN, Answer, ManageTestCase


class RepeatsTests(ManageTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.body = {"project_id": self.project(), "duration_minutes": 60}

    def create(self, key: str = "k1", token: str = MANAGEMENT_TOKEN, **changes: Any) -> Answer:
        headers = {"Idempotency-Key": key, "Authorization": f"Bearer {token}"}
        return self.ask("POST", "/tokens", {**self.body, **changes}, headers=headers)

    def count(self) -> int:
        return len(self.ask("GET", "/tokens").json)

    def test_repeated(self) -> None:
        """A repeated call gets the answer of the first, to the byte, and nothing is done twice."""
        first, second = self.create(), self.create()
        self.assertEqual((first.status, first.body), (second.status, second.body))
        self.assertEqual((first.header("etag"), second.header("etag")), ('"v1"', '"v1"'))
        self.assertEqual(
            (first.header("idempotency-replayed"), second.header("idempotency-replayed")),
            (None, "true"),
        )
        self.assertNotEqual(first.header("x-request-id"), second.header("x-request-id"))
        self.assertEqual(self.count(), 1)
        self.assertTrue(self.notes.events[-2][3]["repeated"])

    def test_other_call(self) -> None:
        """A key stands for one call: with another body, or at another place, it is refused."""
        self.create()
        self.refused(self.create(max_requests=1), 422, "this Idempotency-Key was used for another call")
        answer = self.ask("POST", "/projects", self.body, headers={"Idempotency-Key": "k1"})
        self.assertEqual(answer.status, 400)
        answer = self.ask("POST", "/projects", {"name": "n", "api_key": "k"}, headers={"Idempotency-Key": "k1"})
        self.assertEqual(answer.json["code"], "idempotency_key_reused")
        self.assertEqual(self.create("k2").status, 201)
        self.assertEqual(self.count(), 2)

    def test_actors(self) -> None:
        """A key is its owner's: nobody gets another's answer with it."""
        made = self.create()
        admin = self.ask("POST", "/admins", {"name": "ops", "role": "owner"}).json["token"]
        other = self.create(token=admin)
        self.assertEqual(other.status, 201)
        self.assertNotEqual(other.json["token"], made.json["token"])

    def test_a_day(self) -> None:
        """After a day the key is as good as new."""
        self.create()
        self.clock.advance(86_400 - 1)
        self.assertEqual(self.create().header("idempotency-replayed"), "true")
        self.clock.advance(1)
        self.assertIsNone(self.create().header("idempotency-replayed"))
        self.assertEqual(self.count(), 2)

    def test_failed(self) -> None:
        """A call that was refused did nothing, and can be made again when what was wrong is right."""
        path = f"/projects/{self.body['project_id']}"
        self.ask("PATCH", path, {"is_active": False})
        self.assertEqual(self.create().status, 403)
        self.ask("PATCH", path, {"is_active": True})
        self.assertEqual(self.create().status, 201)

    def test_secret(self) -> None:
        """What is kept of an answer tells no secret to whoever reads the database, and no key."""
        made = self.create("canary-key")
        rows = self.successResultOf(
            self.database.read(lambda c: [tuple(row) for row in c.execute(text("SELECT * FROM idempotency_keys"))])
        )
        self.assertEqual(len(rows), 1)
        for canary in (made.json["token"], made.json["id"], "canary-key", MANAGEMENT_TOKEN):
            self.assertNotIn(canary, repr(rows))

    def test_other_management_token(self) -> None:
        """An answer that was sealed with another management token is not told, and the call is not made again."""
        self.create()
        self.treq = self.client(self.resource(management_token="another-management-token"))
        answer = self.create(token="another-management-token")
        self.refused(answer, 409, "how the call with this Idempotency-Key ended is not known")

    def test_running(self) -> None:
        """Of two calls at once one is made; the other is told to come back."""
        held: list[Any] = []
        store = self.database.tokens

        class Slow:
            def __getattr__(self, name: str) -> Any:
                return getattr(store, name)

            def create(self, token: Any) -> Deferred[None]:
                waiting: Deferred[None] = Deferred()
                held.append((waiting, store.create(token)))
                return waiting

        self.treq = self.client(self.resource(tokens=Slow()))
        headers = {"Idempotency-Key": "k1", "Authorization": f"Bearer {MANAGEMENT_TOKEN}"}
        url = "http://proxy.example/manage/tokens"
        first = self.treq.request("POST", url, headers=headers, data=json.dumps(self.body).encode())
        second = self.create()
        self.refused(second, 409, "the call with this Idempotency-Key is running")
        self.assertEqual((second.header("retry-after"), len(held)), ("1", 1))
        waiting, result = held.pop()
        result.chainDeferred(waiting)
        self.treq.flush()
        self.assertEqual(self.successResultOf(first).code, 201)

    def test_lost(self) -> None:
        """A call of which nobody knows how it ended is not made again: somebody has to look."""
        store = self.database.tokens

        class Lost:
            def __getattr__(self, name: str) -> Any:
                return getattr(store, name)

            def create(self, token: Any) -> Deferred[None]:
                return store.create(token).addCallback(lambda _: fail(OutcomeUnknown("the database failed")))

        self.treq = self.client(self.resource(tokens=Lost()))
        self.assertEqual(self.create().status, 503)
        self.assertEqual(self.create().json["code"], "call_running")
        self.clock.advance(60)
        self.assertEqual(self.create().json["code"], "outcome_unknown")
        self.assertEqual(self.count(), 1)

    def test_not_kept(self) -> None:
        """An answer that cannot be kept is sent all the same; a repetition makes nothing twice."""
        store = self.database.idempotency

        class Broken:
            def __getattr__(self, name: str) -> Any:
                return getattr(store, name)

            def finish(self, *details: Any) -> Deferred[None]:
                return fail(Unavailable("disk full"))

        self.treq = self.client(self.resource(idempotency=Broken()))
        self.assertEqual(self.create().status, 201)
        self.assertEqual(len(self.flushLoggedErrors(Unavailable)), 1)
        self.assertEqual(self.create().status, 409)
        self.assertEqual(self.count(), 1)

    def test_not_forgotten(self) -> None:
        """A call that fails is told why, also if its key cannot be freed."""
        store = self.database.idempotency

        class Broken:
            def __getattr__(self, name: str) -> Any:
                return getattr(store, name)

            def forget(self, *details: Any) -> Deferred[None]:
                return fail(Unavailable("disk full"))

        self.treq = self.client(self.resource(idempotency=Broken()))
        self.refused(self.create(project_id="x"), 404, "project not found")
        self.assertEqual(len(self.flushLoggedErrors(Unavailable)), 1)

    def test_keys(self) -> None:
        """A key is some printable characters; with other methods it means nothing."""
        for key in (" ", "k" * 256, "\x7f"):
            self.refused(self.create(key), 400, "invalid Idempotency-Key")
        self.assertEqual(self.create("k" * 255).status, 201)
        self.assertEqual(self.ask("GET", "/tokens", headers={"Idempotency-Key": "k" * 999}).status, 200)
