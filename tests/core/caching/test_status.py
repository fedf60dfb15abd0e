"""RFC 9211: every member that we write is one that its section 2 knows."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.caching.status import BY_METHOD, BYPASSED, forwarded, hit

MEMBER = re.compile(
    rb"llmproxy(; hit|; fwd=(bypass|method|uri-miss|vary-miss|miss|request|stale|partial))"
    rb"(; fwd-status=\d{3})?(; ttl=-?\d{1,15})?(; stored)?(; collapsed)?"
    rb'(; key="[\x20-\x21\x23-\x5b\x5d-\x7e]*")?(; detail=[A-Za-z*][\w:/!#$%&\'*+\-.^`|~]*)?'
)


class StatusTests(SynchronousTestCase):
    def test_members(self) -> None:
        """Any tool that reads Cache-Status understands ours."""
        for (name, value), expected in (
            (hit(30.9), b"llmproxy; hit; ttl=30"),
            (hit(-0.5), b"llmproxy; hit; ttl=-1"),
            (hit(1, b"abc", b"stale-if-error"), b'llmproxy; hit; ttl=1; key="abc"; detail=stale-if-error'),
            (hit(1e30), b"llmproxy; hit; ttl=999999999"),
            (forwarded("uri-miss", stored=True), b"llmproxy; fwd=uri-miss; stored"),
            (forwarded("vary-miss", collapsed=True), b"llmproxy; fwd=vary-miss; collapsed"),
            (forwarded("stale", status=304, ttl=60), b"llmproxy; fwd=stale; fwd-status=304; ttl=60"),
            (BYPASSED, b"llmproxy; fwd=bypass"),
            (BY_METHOD, b"llmproxy; fwd=method"),
        ):
            self.assertEqual((name, value), (b"Cache-Status", expected), (name, value))
            self.assertIsNotNone(MEMBER.fullmatch(value), value)
