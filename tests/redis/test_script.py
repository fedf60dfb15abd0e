"""A script that Redis runs."""

from __future__ import annotations

from hashlib import sha1

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.redis.script import Script


class ScriptTests(SynchronousTestCase):
    def test_name(self) -> None:
        """Redis names a script by the SHA-1 of its source, in lower case."""
        source = b"return redis.call('GET', KEYS[1])"
        self.assertEqual(Script(source).sha, sha1(source).hexdigest().encode())
