"""The spool of a sink."""

from __future__ import annotations

import errno
import os
import random
from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.sinks.spool import MOST_SEGMENT, Spool
from tests.properties import examples
from tests.tables import row


class SpoolTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = self.mktemp()

    def make(self, most: int = 10_000_000) -> Spool:
        spool = Spool(self.directory, most)
        self.addCleanup(spool.close)
        return spool

    def drained(self, spool: Spool) -> list[bytes]:
        found = []
        while (first := spool.first()) is not None:
            found += first[1]
            spool.remove(first[0])
        return found

    def test_in_order(self) -> None:
        """What comes first leaves first, what was taken out and not delivered before all."""
        spool = self.make()
        spool.append([b"2", b"3"])
        spool.append([b"4"])
        spool.put_first([b"0", b"1"])
        self.assertEqual(spool.count, 5)
        self.assertEqual(self.drained(spool), [b"0", b"1", b"2", b"3", b"4"])
        self.assertEqual((spool.count, spool.size), (0, 0))

    def test_stays_until_removed(self) -> None:
        """What is read is there until it is delivered; what comes meanwhile is behind it."""
        spool = self.make()
        spool.append([b"1"])
        found = spool.first()
        assert found is not None
        spool.append([b"2"])
        self.assertEqual(spool.first(), found)
        spool.remove(found[0])
        self.assertEqual(self.drained(spool), [b"2"])

    def test_disk_is_full(self) -> None:
        """What could be written in part is taken back: what comes next is not behind half a line, nor there twice."""
        spool = self.make()
        spool.append([b"1"])
        space = 3

        def write(fd: int, data: bytes) -> int:
            nonlocal space
            if not space:
                raise OSError(errno.ENOSPC, "no space")
            written, space = min(space, len(data)), space - min(space, len(data))
            return real(fd, data[:written])

        real = os.write
        self.patch(os, "write", write)
        self.assertRaises(OSError, spool.append, [b"22222"])
        space = 3
        self.assertRaises(OSError, spool.put_first, [b"00000"])
        space = 100
        spool.append([b"3"])
        self.assertEqual((spool.count, spool.size), (2, 4))
        self.assertEqual(self.drained(spool), [b"1", b"3"])
        spool.close()
        self.assertEqual(self.make().look(), 0)

    def test_many_segments(self) -> None:
        """No segment is so long that reading it takes much memory, and their order is that of what came."""
        spool = self.make()
        lines = [b"%06d" % number + b"x" * 1000 for number in range(2000)]
        self.assertEqual(spool.append(lines), 0)
        first = spool.first()
        assert first is not None
        self.assertLessEqual(sum(map(len, first[1])), MOST_SEGMENT)
        self.assertEqual(self.drained(spool), lines)

    def test_bound(self) -> None:
        """Beyond its bound it takes nothing, and says how many."""
        spool = self.make(most=1000)
        self.assertEqual(spool.append([b"x" * 99] * 5), 0)
        self.assertEqual(spool.append([b"x" * 99] * 6), 6)
        self.assertEqual(spool.put_first([b"x" * 99] * 6), 6)
        self.assertEqual(spool.count, 5)

    def test_next_process(self) -> None:
        """What a process has left is there for the next one, half a line of a killed one too."""
        spool = Spool(self.directory, 10_000)
        spool.append([b"1", b"2"])
        spool.close()
        [path] = [
            os.path.join(where, name)
            for where, _, names in os.walk(self.directory)
            for name in names
            if name.endswith(".jsonl")
        ]
        with open(path, "ab") as file:
            file.write(b"hal")
        again = self.make()
        self.assertEqual(again.look(), 2)
        self.assertEqual(self.drained(again), [b"1", b"2", b"hal"])

    def test_side_by_side(self) -> None:
        """Processes that run at once write apart; when one has ended the other takes what it left."""
        one, other = self.make(), Spool(self.directory, 10_000)
        one.append([b"1"])
        other.append([b"2"])
        one.append([b"3"])
        self.assertEqual(one.look(), 2)
        other.close()
        self.assertEqual(one.look(), 3)
        self.assertEqual(sorted(self.drained(one)), [b"1", b"2", b"3"])

    def test_nothing_there(self) -> None:
        """Looking makes no directory."""
        self.assertEqual(self.make().look(), 0)
        self.assertFalse(os.path.exists(self.directory))

    def test_random(self) -> None:
        """Whatever processes that begin, end and are killed do with it, each line is there until it is taken out."""
        for seed in range(examples(20)):
            with row(seed):
                self.random_life(random.Random(seed), self.mktemp())

    def random_life(self, chance: random.Random, directory: str) -> None:
        spools = [Spool(directory, 10_000_000) for _ in range(3)]
        inside: Counter[bytes] = Counter()
        number = 0
        for _ in range(80):
            spool, what = chance.choice(spools), chance.random()
            if what < 0.5:
                lines = [b"%d-" % each + b"x" * chance.choice((1, 100_000)) for each in range(number, number + 4)]
                number += 4
                self.assertEqual((spool.append if what < 0.4 else spool.put_first)(lines), 0)
                inside.update(lines)
            elif what < 0.7:
                found = spool.first()
                if found is not None and chance.random() < 0.8:
                    spool.remove(found[0])
                    inside.subtract(found[1])
            elif what < 0.8:
                spool.look()
            elif what < 0.9:
                spool.close()
            else:
                # Killed: nothing is closed but by the system.
                for descriptor in (spool._lock, spool._fd):
                    if descriptor >= 0:
                        os.close(descriptor)
                spools[spools.index(spool)] = Spool(directory, 10_000_000)
        for spool in spools:
            spool.close()
        last = Spool(directory, 10_000_000)
        self.addCleanup(last.close)
        self.assertEqual(last.look(), sum(inside.values()))
        self.assertEqual(Counter(self.drained(last)), +inside)
        self.assertEqual((last.count, last.size), (0, 0))
