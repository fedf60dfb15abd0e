"""The management API with people, kept in a database."""

from __future__ import annotations

from functools import partial
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from llmproxy.core.people.grants import GrantRule, Match, grant_of
from llmproxy.core.people.person import Asserted, Person
from llmproxy.core.tokens import DEVICE
from llmproxy.management.people import PeopleRules
from llmproxy.management.peoplebooks import PeopleBooks
from llmproxy.management.state import State
from llmproxy.management.usage import UsageRules
from llmproxy.store.devices import DeviceStore
from llmproxy.store.people import PeopleStore
from llmproxy.usagelimits import UsageLimits
from llmproxy.web.manage.people import PeopleRoutes
from llmproxy.web.manage.usage import UsageRoutes

from ...contracts.device_store import device, grant
from ...store.databases import NOW, project
from ...usagereports import MemoryReports
from .api import Answer, ManageTestCase

ANN = Asserted("corp", "https://id", "u1", "ann@x.org", True, "Ann", ("eng",))
EVE = evolve(ANN, subject="u2", email="eve@x.org", name="Eve", groups=("boss",))


class PeopleManageTestCase(ManageTestCase):
    """
    Ann, and Eve who is an owner, have signed in.

    @ivar reports: where usage is kept.
    @cvar has_usage: it can be asked for.
    """

    has_usage = False

    def resource(self, projects: Any = None, tokens: Any = None, **more: Any) -> Any:
        grants = (
            GrantRule(Match(groups=("boss",)), "one", "owner"),
            GrantRule(Match(groups=("admins",)), role="operator"),
            GrantRule(Match(groups=("owners",)), role="owner"),
            GrantRule(Match(), "one", limits=UsageLimits(rpm_limit=5)),
        )
        self.reports = getattr(self, "reports", None) or MemoryReports()
        self.devices = DeviceStore(self.clock, self.database)
        state = State(self.clock.seconds, self.database.projects, self.database.tokens, self.directory, self.quota)
        self.people = PeopleRules(state, PeopleStore(self.clock, self.database), partial(grant_of, grants))
        usage = UsageRules(self.clock.seconds, self.database.projects, self.database.tokens, self.reports)
        self.books = books = PeopleBooks(self.people, self.devices, usage)
        reports = (UsageRoutes(usage).routes(),) if self.has_usage else ()
        routes = (PeopleRoutes(books).routes(), *reports, *more.pop("more", ()))
        return super().resource(projects, tokens, more=routes, **more)

    def setUp(self) -> None:
        super().setUp()
        self.successResultOf(self.database.projects.create(project("p1", name="one")))
        self.ann, self.eve = (self.done(self.people.sign_in(each)) for each in (ANN, EVE))

    def let_in(self, person: Person, name: str = "1") -> str:
        """A device C{d}NAME; the id of its token."""
        waiting = evolve(grant(f"g{name}", f"u{name}"), created_at=NOW, expires_at=NOW + 600)
        self.assertTrue(self.successResultOf(self.devices.add_grant(waiting, 1000)))
        self.assertTrue(self.successResultOf(self.devices.decide(waiting.id, person.id, True)))
        token, _ = self.people.made(person, DEVICE, 3600.0, "laptop")
        made = evolve(device(f"d{name}", token.id), person_id=person.id)
        self.assertIsNotNone(self.successResultOf(self.devices.redeem(waiting.id, made, token)))
        return token.id

    def is_good(self, token_id: str) -> bool:
        return bool(self.successResultOf(self.database.tokens.get(token_id)).is_active)

    def as_role(self, role: str, method: str, path: str) -> Answer:
        self.number = getattr(self, "number", 0) + 1
        made = self.ask("POST", "/admins", {"name": f"{role}-{self.number}", "role": role})
        return self.ask(method, path, headers={"Authorization": f"Bearer {made.json['token']}"})

    def done(self, coroutine: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))
