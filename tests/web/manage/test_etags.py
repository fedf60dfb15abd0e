"""C{ETag} and C{If-Match}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import PreconditionFailed
from llmproxy.management.versions import required_version
from llmproxy.web.manage.etags import tag, wanted_versions
from llmproxy.web.operations import Call

from ...tables import row


class Request:
    def __init__(self, if_match: bytes | None) -> None:
        self._if_match = if_match

    def getHeader(self, name: bytes) -> Any:
        assert name == b"if-match"
        return self._if_match


class VersionTests(SynchronousTestCase):
    def wanted(self, if_match: bytes | None) -> int | None:
        return required_version(wanted_versions(Call(Request(if_match))), 7)

    def test_no_condition(self) -> None:
        """Without a condition, and with C{*}, a change is made to whatever is there."""
        for if_match in (None, b"*", b" * "):
            self.assertIsNone(self.wanted(if_match), if_match)

    def test_met(self) -> None:
        """The tag of an answer, alone or among others, is a condition that is met, and checked again by the store."""
        call = Call(Request(None))
        tag(call, 7)
        [(name, value)] = call.fields
        self.assertEqual(name, b"ETag")
        for if_match in (value, b'"x", ' + value, value + b',"v9"'):
            self.assertEqual(self.wanted(if_match), 7, if_match)

    def test_not_met(self) -> None:
        """Another tag, a weak one and what is no tag match nothing (RFC 9110 section 13.1.1)."""
        odd = [b'"v07"', b'"v+7"', b'"v 7"', b'"v%b"' % (b"7" * 5000)]
        for if_match in (b'"v6"', b'W/"v7"', b"v7", b'"v77"', *odd, b"", b'"', b'""'):
            with row(if_match):
                self.assertRaises(PreconditionFailed, self.wanted, if_match)
