"""Settings in pages."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from llmproxy.app.reloading import Outcome
from llmproxy.config.pasted import check_pasted
from llmproxy.errors import ConfigError
from llmproxy.management.config import ConfigRules, ShownConfig
from llmproxy.web.manage.config import ConfigRoutes

from ..browser import PagesTestCase

SHOWN = ShownConfig(
    "apis.yaml",
    {"default_api": "a", "apis": {"a": {"base_url": "https://a.example"}}},
    {"listen": ["tcp:1"], "log_level": "info"},
    {"listen": "--listen"},
)


class SettingsTests(PagesTestCase):
    def setUp(self) -> None:
        self.result: Deferred[Any] = succeed(Outcome(("apis.a",), ("listen",)))
        super().setUp()

    def more_routes(self) -> list[Any]:
        return [ConfigRoutes(ConfigRules(lambda: SHOWN, lambda: self.result, check=check_pasted)).routes()]

    def test_shown(self) -> None:
        """What holds, and where it comes from."""
        self.sign_in()
        shown = self.visit("/settings")
        for words in ("apis.yaml", "https://a.example", "--listen", "default"):
            self.assertIn(words, shown.text, words)

    def test_reloaded(self) -> None:
        """It is said what has changed; what is wrong changes nothing."""
        self.sign_in()
        shown = self.send(self.visit("/settings"), "/settings/reload")
        self.assertIn("changed: apis.a. At the next start only: listen.", shown.text)
        self.result = fail(ConfigError("apis.yaml:3: wrong"))
        shown = self.send(self.visit("/settings"), "/settings/reload")
        self.assertEqual(shown.status, 422)
        self.assertIn("stays as it was: apis.yaml:3: wrong", shown.text)

    def test_checked(self) -> None:
        """A text that is pasted is checked, and comes back as it was, markup and all."""
        self.sign_in()
        text = "apis: {x: {base_url: '${BASE}', nonsense: '<b>'}}\n"
        shown = self.send(self.visit("/settings/check"), text=text)
        self.assertIn("nonsense", shown.text)
        self.assertNotIn(b"<b>", shown.body)
        self.assertEqual(shown.page.form("")["fields"]["text"].strip(), text.strip())
        good = "default_api: x\napis: {x: {base_url: 'https://x', allowed_endpoints: [/], allowed_methods: [GET]}}"
        self.assertIn("Nothing is wrong with it", self.send(shown, text=good).text)

    def test_admins(self) -> None:
        """One is created, its token shown once, and revoked."""
        self.sign_in()
        form = self.visit("/settings/admins/new")
        for fields, words in (
            ({"name": ""}, "needs a name"),
            ({"name": "x", "days": "many"}, "number of days"),
            ({"name": "x", "days": "9" * 5000}, "number of days"),
            ({"name": "x", "days": "3651"}, "3650 at most"),
            ({"name": "two words", "role": "operator"}, "without spaces"),
        ):
            shown = self.send(form, **fields)
            self.assertEqual(shown.status, 400, fields)
            self.assertIn(words, shown.text, fields)
        made = self.send(form, name="ada", role="operator", days="30")
        token = next(each["token"] for each in [self.ask("GET", "/admins").json[0]])
        self.assertIn("shown once", made.text)
        self.assertNotIn(token, made.text)
        shown = self.visit("/settings")
        self.assertIn("ada", shown.text)
        path = next(href for href, _ in shown.page.links if href.endswith("/revoke"))
        self.assertIn("The admin has been revoked.", self.send(self.visit(path)).text)
        self.assertIsNotNone(self.ask("GET", "/admins").json[0]["revoked_at"])

    def test_roles(self) -> None:
        """An operator sees the settings, and neither admins nor the button."""
        self.sign_in(self.admin("operator"))
        shown = self.visit("/settings")
        self.assertEqual(shown.status, 200)
        self.assertNotIn("Create admin", shown.text)
        self.assertFalse([each for each in shown.page.forms if "reload" in each["action"]])
        self.assertEqual(self.visit("/settings/admins/new").status, 403)
