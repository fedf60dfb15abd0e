"""Tests for L{llmproxy.workers.upgrade}; tests/integration/test_upgrades.py has real processes."""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from llmproxy.workers.handover import Handover
from llmproxy.workers.program import Program
from llmproxy.workers.upgrade import Upgrade

GOOD, BAD = (sys.executable, "-c", ""), (sys.executable, "-c", "raise SystemExit('no such option')")


class UpgradeTests(TestCase):
    def setUp(self) -> None:
        self.left: Handover | None = Handover(generation=1)
        self.became: list[Any] = []

    def upgrade(self, command: tuple[str, ...] | None) -> Upgrade:
        program = None if command is None else Program(command, command)
        return Upgrade(reactor, program, lambda: self.left, lambda *what: self.became.append(what[:2]))

    async def test_becomes(self) -> None:
        """Once the new one could start, with what is to be left by then."""
        await self.upgrade(GOOD).begin()
        self.assertEqual(self.became, [(Program(GOOD, GOOD), Handover(generation=1))])

    async def test_stays(self) -> None:
        """A program that cannot start, one that is embedded, one that is starting itself: nothing changes."""
        await self.upgrade(BAD).begin()
        await self.upgrade(None).begin()
        self.left = None
        await self.upgrade(GOOD).begin()
        self.assertEqual(self.became, [])

    async def test_once(self) -> None:
        """A second one while the first tries is none."""
        upgrade = self.upgrade(GOOD)
        first = upgrade.begin()
        await upgrade.begin()
        self.assertEqual(self.became, [])
        await first
        self.assertEqual(len(self.became), 1)

    async def test_fails(self) -> None:
        """What goes wrong at the last moment changes nothing, and another one can follow."""

        def become(*what: Any) -> None:
            raise OSError("no memory")

        upgrade = Upgrade(reactor, Program(GOOD, GOOD), lambda: self.left, become)
        await upgrade.begin()
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        await upgrade.begin()
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
