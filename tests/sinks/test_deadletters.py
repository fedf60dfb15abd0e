"""The dead letters of a sink."""

from __future__ import annotations

import json
import os
import stat

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.sinks.deadletters import DeadLetters


class DeadLettersTests(SynchronousTestCase):
    def test_lines(self) -> None:
        """Each says when, why and what."""
        path = os.path.join(self.mktemp(), "hook.jsonl")
        DeadLetters(path, 10_000).append([b'{"id":"1"}', b'{"id":"2"}'], 'answered 422 "no"', "now")
        with open(path) as file:
            lines = [json.loads(line) for line in file]
        self.assertEqual(lines[0], {"time": "now", "reason": 'answered 422 "no"', "event": {"id": "1"}})
        self.assertEqual(len(lines), 2)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)

    def test_bound(self) -> None:
        """The latest stay, within the bound; one that is longer than that by itself is kept all the same."""
        path = os.path.join(self.mktemp(), "hook.jsonl")
        letters = DeadLetters(path, 2000)
        for number in range(100):
            letters.append([b'{"id":%d}' % number], "x", "now")
        self.assertLessEqual(sum(os.path.getsize(each) for each in (path, path + ".1")), 2000)
        with open(path) as file:
            self.assertEqual(json.loads(file.readlines()[-1])["event"]["id"], 99)
        letters.append([b'"%b"' % (b"x" * 5000)], "x", "now")
        with open(path) as file:
            self.assertGreater(len(file.readlines()[-1]), 5000)

    def test_kept(self) -> None:
        """How many there are, since when, and why; a line that is no letter is counted by itself."""
        path = os.path.join(self.mktemp(), "hook.jsonl")
        letters = DeadLetters(path, 10_000)
        self.assertEqual(letters.kept().count, 0)
        letters.append([b'{"id":"1"}', b'{"id":"2"}'], "too large", "2026-01-01T00:00:00+00:00")
        letters.append([b'{"id":"3"}'], "no", "2026-01-02T00:00:00+00:00")
        with open(path, "ab") as file:
            file.write(b"half a li")
        kept = letters.kept()
        self.assertEqual((kept.count, kept.unreadable, kept.size), (3, 1, os.path.getsize(path)))
        self.assertEqual((kept.oldest[:10], kept.latest[:10]), ("2026-01-01", "2026-01-02"))
        self.assertEqual(kept.reasons, (("too large", 2), ("no", 1)))

    def test_taken_out(self) -> None:
        """Those of given events go, of both files, and nothing else; a file without any goes too."""
        path = os.path.join(self.mktemp(), "hook.jsonl")
        letters = DeadLetters(path, 500)
        for number in range(6):
            letters.append([b'{"id":"%d"}' % number], "x", f"2026-01-0{number + 1}")
        self.assertTrue(os.path.exists(path + ".1"))
        ids = [each for each, _ in letters.first(10, "2027")]
        letters.take_out(ids[:2], "2027")
        self.assertEqual([each for each, _ in letters.first(10, "2027")], ids[2:])
        letters.take_out(ids, "2026-01-05")
        self.assertEqual([each for each, _ in letters.first(10, "2027")], ["4", "5"])
        letters.take_out(ids, "2027")
        self.assertEqual([os.path.exists(each) for each in (path, path + ".1", path + ".new")], [False] * 3)

    def test_renewed(self) -> None:
        """One that is refused again stays where it is, with another reason and time; nothing is pushed out by that."""
        path = os.path.join(self.mktemp(), "hook.jsonl")
        letters = DeadLetters(path, 500)
        for number in range(6):
            letters.append([b'{"id":"%d"}' % number], "x", f"2026-01-0{number + 1}")
        before = [each for each, _ in letters.first(10, "2027")]
        letters.renew(["5", "4"], "y" * 300, "2026-02-01", "2026-01-07")
        self.assertEqual([each for each, _ in letters.first(10, "2027")], before)
        self.assertEqual([each for each, _ in letters.first(10, "2026-01-07")], [each for each in before if each < "4"])
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)

    def test_bounded(self) -> None:
        """Only so many are read at once, and each event once, however often it stands there."""
        letters = DeadLetters(os.path.join(self.mktemp(), "hook.jsonl"), 100_000)
        letters.append([b'{"id":"%d"}' % (number // 2) for number in range(20)], "x", "2026")
        self.assertEqual([each for each, _ in letters.first(3, "2027")], ["0", "1", "2"])
        self.assertEqual(len(letters.first(100, "2027")), 10)
        self.assertEqual(letters.count("2027"), 20)

    def test_alone(self) -> None:
        """Only one at a time sends them."""
        letters = DeadLetters(os.path.join(self.mktemp(), "hook.jsonl"), 1000)
        with letters.alone():
            self.assertRaises(BlockingIOError, letters.alone().__enter__)
        with letters.alone():
            pass
