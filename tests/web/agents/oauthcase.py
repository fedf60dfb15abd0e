"""Rules of devices over a real database, with somebody who decides."""

from __future__ import annotations

import json
from typing import Any

from treq.testing import StubTreq
from twisted.web.resource import Resource

from llmproxy.config.agents import SignInConfig
from llmproxy.core.deviceflow import Grant
from llmproxy.core.failures import Failures
from llmproxy.core.people.grants import GrantRule, Match, grant_of
from llmproxy.management.devices import DeviceRules
from llmproxy.management.people import PeopleRules
from llmproxy.store.devices import DeviceStore
from llmproxy.store.people import PeopleStore
from llmproxy.web.answerresource import AnswerResource

from ...management.test_people import ANN
from ...management.world import RulesTestCase
from .agentcase import Got


class Noted:
    """An audit log that remembers."""

    def __init__(self) -> None:
        self.records: list[tuple[str, str, str, dict[str, Any]]] = []

    def log(self, action: str, actor: str, outcome: str, **details: object) -> None:
        self.records.append((action, actor, outcome, details))


class OAuthTestCase(RulesTestCase):
    def setUp(self) -> None:
        super().setUp()
        rules = [GrantRule(Match(), "p1")]
        store = PeopleStore(self.clock, self.database)
        self.people = PeopleRules(self.state, store, lambda who: grant_of(rules, who))
        self.lifetimes = SignInConfig()
        self.devices = DeviceRules(self.people, DeviceStore(self.clock, self.database), lambda: self.lifetimes)
        self.ann = self.done(self.people.sign_in(ANN))
        self.audit = Noted()
        self.public_url = ""
        self.is_draining = False

    def made(self, kind: Any, burst: int = 10) -> AnswerResource:
        """An endpoint over the rules."""
        resource: AnswerResource = kind(
            self.devices,
            self.clock.seconds,
            None,
            lambda: self.public_url,
            self.audit,
            Failures(burst),
            lambda: self.is_draining,
        )
        return resource

    def sent(self, resource: AnswerResource, form: Any = None, method: str = "POST", **fields: Any) -> Got:
        """An answer to a form."""
        root = Resource()
        root.putChild(b"x", resource)
        client = StubTreq(root)
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if method == "POST" else {}
        headers |= {name.replace("_", "-"): value for name, value in fields.items()}
        more = {"data": form} if form is not None else {}
        asking = client.request(method, "http://proxy.example/x", headers=headers, **more)
        client.flush()
        response = self.successResultOf(asking)
        return Got(response.code, response.length, response.headers, self.successResultOf(client.content(response)))

    def json(self, got: Got) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(got.body)
        return found

    def decided(self, user_code: str, allow: bool = True) -> Grant:
        grant = self.done(self.devices.waiting(user_code))
        assert grant is not None
        self.assertTrue(self.done(self.devices.decide(grant, self.ann, allow)))
        return grant
