"""C{llmproxy logout}."""

from __future__ import annotations

from .signingin import URL, SigningInTestCase


class LogoutTests(SigningInTestCase):
    def test_signed_out(self) -> None:
        """Here and there; a second time there is nothing to end."""
        self.login()
        self.assertIn(f"signed out at {URL}", self.run_with("logout", "--url", f"{URL}/").stderr)
        [device] = self.done(self.devices.of_person(self.ann.id))
        self.assertEqual(device.ended_because, "signed_out")
        self.assertIn("not signed in", self.run_with("logout", "--url", URL, status=3).stderr)

    def test_away(self) -> None:
        """A proxy that is away keeps nobody signed in here."""
        self.login()
        self.away = True
        result = self.run_with("logout", "--all")
        self.assertIn("its tokens end by themselves", result.stderr)
        self.assertIn("signed in nowhere", self.run_with("auth", "status").stdout)
        self.run_with("logout", "--all")
