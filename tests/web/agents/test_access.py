"""Tests for L{llmproxy.web.agents.access}."""

from __future__ import annotations

from attrs import evolve

from llmproxy.web.agents.access import NOBODY, NoPeople
from llmproxy.web.agents.managedsettings import ManagedSettings
from tests.web.manage.api import Notes

from .agentcase import AgentTestCase


class AccessTests(AgentTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.notes = Notes()
        self.closed = False
        access = self.memory.proxy.resource()._own.__self__._access  # type: ignore[attr-defined]
        access = evolve(access, audit=self.notes, draining=lambda: self.closed)
        self.resource.putChild(b"mine", ManagedSettings(access, lambda: ()))

    def test_noted(self) -> None:
        """Who is refused is in the audit log, without what they have shown."""
        self.ask("GET", "/mine?key=secret", headers={"Authorization": "Bearer sk-" + "B" * 22})
        ((action, _, outcome, details),) = self.notes.events
        self.assertEqual((action, outcome, details["endpoint"]), ("token.validate", "denied", "/mine"))
        self.assertNotIn("BBBB", str(details))

    def test_draining(self) -> None:
        """Nothing more is taken at the end, and nobody is blamed for it."""
        self.closed = True
        self.assertEqual(self.ask("GET", "/mine").status, 503)
        self.assertEqual(self.notes.events, [])

    def test_nobody(self) -> None:
        """Without an identity provider a token is nobody's in particular."""
        principal = self.successResultOf(
            self.memory.proxy.foundation.admission.authenticate.principal_of(
                [(b"authorization", b"Bearer sk-" + b"A" * 22)], b"/", key_fields=frozenset(), query_keys=frozenset()
            )
        )
        self.assertEqual(self.successResultOf(NoPeople().caller_of(principal)), NOBODY)
