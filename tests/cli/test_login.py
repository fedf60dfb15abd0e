"""C{llmproxy login}."""

from __future__ import annotations

import json
import stat

from .signingin import URL, SigningInTestCase


class LoginTests(SigningInTestCase):
    def test_signed_in(self) -> None:
        """People are told where to go, and what is got is kept for them alone; no secret is printed."""
        result = self.login()
        self.assertIn(f"Open {URL}/device and enter the code", result.stderr)
        self.assertEqual(result.stdout, "")
        kept = json.loads(self.file.read_text())["proxies"][URL]
        token = self.principal(kept["access_token"]).token
        self.assertEqual((token.person_id, token.name), (self.ann.id, token.name))
        self.assertIn("on laptop", token.name or "")
        for secret in (kept["access_token"], kept["refresh_token"]):
            self.assertNotIn(secret, result.output + result.stderr)
        self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(self.file.parent.stat().st_mode), 0o700)

    def test_waits(self) -> None:
        """While nobody has decided it asks at its interval, less often if it is told to, or cannot ask."""

        def gone() -> None:
            self.away = True

        def back() -> None:
            self.away = False
            self.let_in()

        self.decisions = [lambda: None, gone, back]
        self.run_with("login", "--url", URL)
        self.assertEqual(self.slept, [5.0, 5.0, 10.0])

    def test_denied(self) -> None:
        self.decisions = [lambda: self.let_in(False)]
        self.assertIn("refused to let this program in", self.run_with("login", "--url", URL, status=4).stderr)
        self.assertFalse(self.file.exists())

    def test_too_late(self) -> None:
        """Nobody comes: the program gives up when the code does."""
        self.assertIn("within the time", self.run_with("login", "--url", URL, status=4).stderr)
        self.assertLess(sum(self.slept), 601)

    def test_again(self) -> None:
        """Who signs in again has one sign-in at the proxy, not two."""
        self.login()
        self.login()
        devices = self.done(self.devices.of_person(self.ann.id))
        self.assertEqual(sorted(each.ended_because for each in devices), ["", "signed_out"])

    def test_nowhere(self) -> None:
        """What is no such proxy is said so, and what it says of elsewhere is not followed."""
        self.assertIn("nobody can sign in", self.run_with("login", "--url", "https://proxy.example/x", status=1).stderr)
        self.assertIn("--url: expected", self.run_with("login", "--url", "proxy.example", status=2).stderr)
        self.assertIn("over http or https", self.run_with("login", "--url", "unix:/x", status=2).stderr)
        self.public_url = "https://evil.example"
        said = self.run_with("login", "--url", URL, status=1).stderr
        self.assertIn("leads to https://evil.example", said)
        self.assertEqual([each for each in self.asked if each.startswith("POST")], [])
        self.away = True
        self.run_with("login", "--url", URL, status=5)

    def test_address(self) -> None:
        """Out of the environment too; an address without encryption is warned of."""
        self.public_url = "http://proxy.example"
        self.decisions = [self.let_in]
        result = self.run_with("login", LLMPROXY_URL="http://proxy.example:80/")
        self.assertIn("without encryption", result.stderr)
