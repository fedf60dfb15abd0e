"""C{llmproxy auth}."""

from __future__ import annotations

import json

from .signingin import URL, SigningInTestCase


class PrintTokenTests(SigningInTestCase):
    def printed(self) -> str:
        return self.run_with("auth", "print-token", "--url", URL).stdout.strip()

    def test_token(self) -> None:
        """The token and nothing else, without asking anybody while it lasts."""
        self.login()
        self.asked.clear()
        token = self.printed()
        self.assertEqual(self.principal(token).token.person_id, self.ann.id)
        self.assertEqual((self.printed(), self.asked), (token, []))

    def test_refreshed(self) -> None:
        """One that would not last is refreshed, once, and what is got is kept."""
        self.login()
        token = self.printed()
        self.clock.advance(3600 - 360)
        again = self.printed()
        self.assertNotEqual(again, token)
        self.assertEqual(self.printed(), again)
        self.assertEqual(self.asked.count("POST /oauth/token"), 2)
        self.clock.advance(3500)
        self.assertNotEqual(self.printed(), again)

    def test_short_lived(self) -> None:
        """A token that never lasts so long is not refreshed each time."""
        self.lifetimes = type(self.lifetimes)(token_lifetime=120.0)
        self.login()
        token = self.printed()
        self.clock.advance(59)
        self.assertEqual(self.printed(), token)
        self.clock.advance(1)
        self.assertNotEqual(self.printed(), token)

    def test_over(self) -> None:
        """Who was shut out is told to sign in, with the status of a refusal, and nothing is left."""
        self.login()
        self.done(self.people.revoke(self.ann.id))
        self.clock.advance(3600)
        said = self.run_with("auth", "print-token", "--url", URL, status=4)
        self.assertEqual(said.stdout, "")
        self.assertIn(f"your sign-in at {URL} is over: llmproxy login --url {URL}", said.stderr)
        self.assertIn("you are not signed in", self.run_with("auth", "print-token", "--url", URL, status=4).stderr)

    def test_away(self) -> None:
        """A proxy that is away takes nobody's sign-in, and nobody's token that is good for some seconds more."""
        self.login()
        token = self.printed()
        self.clock.advance(3600 - 20)
        self.away = True
        self.assertEqual(self.printed(), token)
        self.clock.advance(10)
        self.run_with("auth", "print-token", "--url", URL, status=5)
        self.away = False
        self.clock.advance(3600)
        self.away = True
        self.run_with("auth", "print-token", "--url", URL, status=5)
        self.away = False
        self.assertTrue(self.printed())

    def test_status(self) -> None:
        """Where somebody is signed in, without a secret."""
        self.assertIn("signed in nowhere", self.run_with("auth", "status").stdout)
        self.login()
        token = self.printed()
        shown = self.run_with("auth", "status").stdout
        self.assertIn(URL, shown)
        self.assertIn("good for 60 min", shown)
        self.assertNotIn(token, shown)
        self.clock.advance(7200)
        self.assertIn("to be refreshed", self.run_with("auth", "status").stdout)
        [found] = json.loads(self.run_with("auth", "status", "--json").stdout)
        self.assertEqual((found["url"], found["expires_in"]), (URL, -3600))
