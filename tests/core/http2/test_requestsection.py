"""Tests for L{llmproxy.core.http2.requestsection}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.http2.requestsection import request_section
from llmproxy.core.http2.sections import OF_CONNECTIONS, check_request

from ...tables import row

NAMES = st.sampled_from([b"Accept", b"X-A", b"Connection", b"Host", b"TE", b"Upgrade", b"Keep-Alive", b"Content-Type"])


class RequestSectionTests(SynchronousTestCase):
    def section(self, *fields: tuple[bytes, bytes], length: int | None = None) -> list[tuple[bytes, bytes]]:
        return request_section(b"POST", b"up.example:8443", b"/v1/x?y=%2F", list(fields), length)

    def test_pseudo(self) -> None:
        """What stood in the first line, and the authority, which is Host's where there is one."""
        first = [(b":method", b"POST"), (b":scheme", b"https"), (b":authority", b"up.example:8443")]
        self.assertEqual(self.section(), [*first, (b":path", b"/v1/x?y=%2F")])
        self.assertEqual(self.section((b"hOST", b"other"))[2:], [(b":authority", b"other"), (b":path", b"/v1/x?y=%2F")])

    def test_fields(self) -> None:
        """Each field, and what becomes of it; their order and repeats stay."""
        for case, fields, expected in (
            ("order", [(b"B", b"1"), (b"a", b"2"), (b"B", b"3")], [(b"b", b"1"), (b"a", b"2"), (b"b", b"3")]),
            ("value as it is", [(b"Authorization", b"Bearer Xy")], [(b"authorization", b"Bearer Xy")]),
            ("connection", [(b"Connection", b"keep-alive"), (b"Keep-Alive", b"5"), (b"Upgrade", b"x")], []),
            ("transfer coding", [(b"Transfer-Encoding", b"chunked"), (b"Proxy-Connection", b"x")], []),
            ("te", [(b"TE", b" Trailers ")], [(b"te", b"trailers")]),
            ("another te", [(b"TE", b"gzip, trailers")], []),
        ):
            with row(case):
                self.assertEqual(self.section(*fields)[4:], expected)

    def test_length(self) -> None:
        """Content-Length is said once: where it stood, or at the end."""
        self.assertEqual(self.section(length=0)[4:], [(b"content-length", b"0")])
        said = self.section((b"Content-length", b"3"), (b"x", b"y"), length=3)
        self.assertEqual(said[4:], [(b"content-length", b"3"), (b"x", b"y")])

    @given(st.lists(st.tuples(NAMES, st.sampled_from([b"a", b"trailers", b"close"])), max_size=10))
    def test_always_well_formed(self, fields: list[tuple[bytes, bytes]]) -> None:
        """Whatever a request has, upstream gets a section that RFC 9113 section 8.1.1 allows."""
        section = self.section(*fields)
        check_request(section)
        self.assertFalse(OF_CONNECTIONS & {name for name, _ in section})
