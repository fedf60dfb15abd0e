"""Tests of L{llmproxy.limits.leasefile}."""

from __future__ import annotations

import os
import stat

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.limits.leasefile import ROWS, LeaseFile, dead_in

ONE, OTHER = "1" * 32, "2" * 32


def note(file: LeaseFile, serial: int, available: int) -> None:
    """What could be handed back of a lease, where there is room for it."""
    place = file.place(serial)
    if place is not None:
        cells, at = place
        cells[at] = available


class LeaseFileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = os.path.join(os.path.abspath(self.mktemp()), "made")

    def found(self, own: str = OTHER) -> list[tuple[str, dict[int, int]]]:
        found = []
        for dead in dead_in(self.directory, own):
            found.append((dead.holder, dead.available()))
            dead.close()
        return found

    def test_outlives(self) -> None:
        """While its process lives nobody takes it; then what could be handed back is found, until it is removed."""
        file = LeaseFile(self.directory, ONE)
        note(file, 1, 500)
        note(file, 2, 70)
        note(file, 1, 400)
        self.assertEqual(self.found(), [])
        file.close(remove=False)
        file.close(remove=False)
        self.assertEqual(self.found(ONE), [])
        self.assertEqual(self.found(), [(ONE, {1: 400, 2: 70})])
        [dead] = dead_in(self.directory, OTHER)
        self.assertEqual(list(dead_in(self.directory, OTHER)), [])
        dead.remove()
        dead.close()
        self.assertEqual(self.found(), [])

    def test_private(self) -> None:
        """File and directory are their owner's."""
        file = LeaseFile(self.directory, ONE)
        self.addCleanup(file.close, remove=True)
        [name] = os.listdir(self.directory)
        modes = [stat.S_IMODE(os.stat(each).st_mode) for each in (self.directory, os.path.join(self.directory, name))]
        self.assertEqual(modes, [0o700, 0o600])

    def test_dropped(self) -> None:
        """What is dropped makes room; beyond the room nothing is noted."""
        file = LeaseFile(self.directory, ONE)
        for serial in range(1, ROWS + 2):
            note(file, serial, serial)
        file.drop(1)
        file.drop(1)
        note(file, ROWS + 5, 9)
        note(file, 2, 2**63 - 1)
        file.close(remove=False)
        [(_, found)] = self.found()
        self.assertEqual(len(found), ROWS)
        self.assertEqual([found.get(each) for each in (1, 2, ROWS + 1, ROWS + 5)], [None, 2**63 - 1, None, 9])

    def test_removed(self) -> None:
        """At a good end nothing is left; nor is anything made of other files, or of a directory that is not there."""
        LeaseFile(self.directory, ONE).close(remove=True)
        for name in ("notes.leases", f"{ONE}.00000001.ledger", f"{OTHER}.leases"):
            with open(os.path.join(self.directory, name), "wb") as broken:
                broken.write(b"\x01" * 21)
        self.assertEqual([holder for holder, _ in self.found(ONE)], [OTHER])
        self.assertEqual(list(dead_in(os.path.join(self.directory, "none"), ONE)), [])

    def test_cannot_be_made(self) -> None:
        """Nothing is left of it then."""
        os.makedirs(self.directory)
        file = LeaseFile(self.directory, ONE)
        self.addCleanup(file.close, remove=True)
        with open(os.path.join(self.directory, "plain"), "wb"):
            pass
        self.assertRaises(OSError, LeaseFile, os.path.join(self.directory, "plain"), ONE)
