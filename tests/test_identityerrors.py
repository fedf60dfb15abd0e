"""Tests for L{llmproxy.identityerrors}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy import identityerrors
from llmproxy.errors import ProxyError


class IdentityErrorTests(SynchronousTestCase):
    def test_statuses(self) -> None:
        """401 has a program sign in anew, 403 says that this would not help, 503 that waiting does."""
        for name, status in (
            ("PersonRevoked", 401),
            ("NotGranted", 403),
            ("TokenRefused", 401),
            ("ProviderUnavailable", 503),
        ):
            self.assertEqual(getattr(identityerrors, name).status, status, name)

    def test_codes(self) -> None:
        """Each has a code of its own, by which programs know it."""
        kinds = [
            kind
            for kind in vars(identityerrors).values()
            if isinstance(kind, type) and issubclass(kind, ProxyError) and kind.__module__ == identityerrors.__name__
        ]
        self.assertEqual(len({kind.code for kind in kinds}), len(kinds))
