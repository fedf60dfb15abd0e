"""Tests for L{llmproxy.web.manage.config}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from llmproxy.app.reloading import Outcome
from llmproxy.config.pasted import check_pasted
from llmproxy.errors import ConfigError
from llmproxy.management.config import ConfigRules, ShownConfig
from llmproxy.web.manage.config import ConfigRoutes

from .api import ManageTestCase

SHOWN = ShownConfig(
    "apis.yaml", {"default_api": "a"}, {"listen": ["tcp:1"], "log_level": "info"}, {"listen": "--listen"}
)


class ConfigManageTestCase(ManageTestCase):
    """@ivar result: what comes of a reload."""

    can_upgrade = True

    def setUp(self) -> None:
        self.result: Deferred[Any] = succeed(Outcome(("apis.a",), ("ledger.directory",)))
        super().setUp()

    def resource(self, projects: Any = None, **more: Any) -> Any:
        rules = ConfigRules(lambda: SHOWN, lambda: self.result, lambda: self.can_upgrade, check_pasted)
        return super().resource(projects, **{**more, "more": (ConfigRoutes(rules).routes(), *more.get("more", ()))})


class ConfigTests(ConfigManageTestCase):
    def test_show(self) -> None:
        """Each setting with where it comes from."""
        shown = self.ask("GET", "/config").json
        self.assertEqual((shown["file"], shown["configuration"]), ("apis.yaml", {"default_api": "a"}))
        self.assertEqual(
            shown["settings"],
            {
                "listen": {"value": ["tcp:1"], "origin": "--listen"},
                "log_level": {"value": "info", "origin": "default"},
            },
        )

    def test_reload(self) -> None:
        """What has changed is in the answer, and in the audit log."""
        answer = self.ask("POST", "/config/reload")
        self.assertEqual((answer.status, answer.json["changed"]), (200, ["apis.a"]))
        self.assertEqual(answer.json["needs_restart"], ["ledger.directory"])
        action, _, outcome, details = self.notes.events[-1]
        self.assertEqual((action, outcome, details["changed"]), ("config.reload", "success", ["apis.a"]))

    def test_wrong(self) -> None:
        """What is wrong is said, and noted as a failure."""
        self.result = fail(ConfigError("apis.yaml:3:1: apis.a.base_url: expected a URL"))
        answer = self.ask("POST", "/config/reload")
        self.assertEqual(answer.status, 422)
        self.assertIn("apis.yaml:3:1: apis.a.base_url", answer.json["description"])
        self.assertEqual(self.notes.events[-1][2], "failure")

    def test_check(self) -> None:
        """What is wrong with a text is said, and nothing is taken; the text itself is not in the audit log."""
        answer = self.ask("POST", "/config/check", {"text": "apis: {x: {base_url: 5, secret: canary}}"})
        self.assertEqual(answer.status, 200)
        self.assertIn("base_url", " ".join(answer.json["problems"]))
        self.assertNotIn("canary", str(self.notes.events[-1]))
        self.assertEqual(self.ask("POST", "/config/check", {}).status, 400)

    def test_upgrade(self) -> None:
        """It is begun, and noted; an application replaces itself."""
        self.assertEqual(self.ask("POST", "/upgrade").status, 202)
        self.assertEqual(self.notes.events[-1][0], "process.upgrade")
        self.can_upgrade = False
        self.assertEqual(self.ask("POST", "/upgrade").status, 409)

    def test_owner_only(self) -> None:
        """Operators and auditors see it, and do not reload it."""
        for role in ("operator", "auditor"):
            token = self.ask("POST", "/admins", {"name": role, "role": role}).json["token"]
            fields = {"Authorization": f"Bearer {token}"}
            self.assertEqual(self.ask("GET", "/config", headers=fields).status, 200, role)
            for path in ("/config/reload", "/config/check", "/upgrade"):
                self.assertEqual(self.ask("POST", path, headers=fields).status, 403, (role, path))
