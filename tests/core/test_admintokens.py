"""What those who use the management API show for themselves."""

from __future__ import annotations

import os

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.admintokens import PREFIX, fault_of, generate, hint, is_well_formed
from llmproxy.message import Admin


class AdminTokenTests(SynchronousTestCase):
    def test_generated(self) -> None:
        """New tokens are unlike each other, of 256 random bits, and look like nothing else."""
        tokens = {generate(os.urandom) for _ in range(50)}
        self.assertEqual(len(tokens), 50)
        for token in tokens:
            self.assertTrue(is_well_formed(token), token)
        self.assertEqual(generate(lambda count: b"\xff" * count), PREFIX + "_" * 42 + "8")

    def test_ill_formed(self) -> None:
        """What could be none is never looked up."""
        token = generate(os.urandom)
        for other in ("", PREFIX, token[:-1], token + "A", "x" + token[1:], token[:-1] + "=", token[:-1] + "é"):
            self.assertFalse(is_well_formed(other), other)

    def test_hint(self) -> None:
        """A list shows the first four characters."""
        self.assertEqual(hint(PREFIX + "abcdefgh"), PREFIX + "abcd********")

    def test_faults(self) -> None:
        """Who is revoked or whose time is over may do nothing."""
        admin = Admin("a1", "ops", "00", "h", "owner", 0.0)
        for one, now, fault in (
            (admin, 1e12, ""),
            (evolve(admin, expires_at=10.0), 9.9, ""),
            (evolve(admin, expires_at=10.0), 10.0, "management token has expired"),
            (evolve(admin, expires_at=10.0, revoked_at=1.0), 20.0, "management token has been revoked"),
        ):
            self.assertEqual(fault_of(one, now), fault, (one, now, fault))
