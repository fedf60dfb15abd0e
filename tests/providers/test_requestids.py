"""Tests for L{llmproxy.providers.requestids}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.providers.requestids import KNOWN, NAMES, id_among


class IdTests(SynchronousTestCase):
    def test_each(self) -> None:
        """Whatever a provider calls it, it is found; the application's own before that of what stands before it."""
        for name in NAMES:
            self.assertEqual(id_among({b"server": b"x", name: b"req_011C"}), "req_011C", name)
        self.assertEqual(id_among({b"cf-ray": b"8f-TXL", b"request-id": b"req_1"}), "req_1")
        self.assertEqual(KNOWN, set(NAMES))

    def test_none(self) -> None:
        """What could not stand in a log is none."""
        for value in (b"", b"a b", b"x" * 129, b"\xff", b"a\x1b[31m"):
            self.assertEqual(id_among({b"request-id": value}), "", value)
        self.assertEqual(id_among({b"request-id": b"", b"x-request-id": b"r"}), "r")
