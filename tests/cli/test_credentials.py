"""Tests for L{llmproxy.cli.credentials}."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.credentials import Credentials, SignIn, credentials_file
from llmproxy.cli.faults import Fault

from ..tables import row

ONE = SignIn("https://a.example", "sk-a", "llmr_a", 1000.0, 600.0, "/oauth/token", "/oauth/revoke")


class CredentialsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp()).absolute()
        self.credentials = Credentials(str(self.path))

    def test_places(self) -> None:
        for environment, expected in (
            ({"HOME": "/h"}, "/h/.config/llmproxy/credentials.json"),
            ({"HOME": "/h", "XDG_CONFIG_HOME": "/x"}, "/x/llmproxy/credentials.json"),
            ({"HOME": "/h", "LLMPROXY_CREDENTIALS": "~/c"}, "/h/c"),
        ):
            self.patch(os, "environ", environment)
            self.assertEqual(credentials_file(), expected, environment)

    def test_kept(self) -> None:
        """Each proxy has one; what was kept for another stays."""
        other = evolve(ONE, url="https://b.example")
        for each in (ONE, other, evolve(ONE, access_token="sk-c")):
            self.credentials.keep(each)
        self.assertEqual(self.credentials.all()["https://a.example"].access_token, "sk-c")
        self.credentials.forget("https://a.example")
        self.credentials.forget("https://a.example")
        self.assertEqual(self.credentials.all(), {"https://b.example": other})
        self.assertNotIn("sk-a", repr(ONE))
        self.assertNotIn("llmr_a", repr(ONE))

    def test_none_of_ours(self) -> None:
        """What is in the file otherwise is said to be wrong, and not shown."""
        for text in (
            "",
            "{",
            "[]",
            '{"proxies": 5}',
            '{"proxies": {"a": {"access_token": "secret"}}}',
            '{"proxies": {"a": 5}}',
            "[" * 100_000,
        ):
            self.path.write_text(text)
            with row(text[:20]):
                error = self.assertRaises(Fault, self.credentials.all)
            self.assertIn("sign in again", str(error), text[:20])
            self.assertNotIn("secret", str(error), text[:20])

    def test_alone(self) -> None:
        """Who holds the file is alone with it, whichever process."""
        seen: list[str] = []

        def other() -> None:
            with Credentials(str(self.path)).held():
                seen.append("other")

        with self.credentials.held():
            thread = threading.Thread(target=other)
            thread.start()
            thread.join(0.2)
            seen.append("first")
        thread.join(30)
        self.assertEqual(seen, ["first", "other"])

    def test_lasts(self) -> None:
        """Of a token that is short-lived half of its life has to do."""
        for lifetime, now, expected in (
            (600.0, 690, True),
            (600.0, 700, False),
            (3600.0, 639, True),
            (3600.0, 640, False),
        ):
            found = evolve(ONE, lifetime=lifetime).is_good_for(360, now)
            self.assertEqual(found, expected, (lifetime, now))
