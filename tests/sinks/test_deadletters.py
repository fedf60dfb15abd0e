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
