"""Tests for L{llmproxy.web.oldpages}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from llmproxy.web.oldpages import OldPages, new_address


class OldPagesTests(SynchronousTestCase):
    def test_addresses(self) -> None:
        """Each page of there has one here, and none leads elsewhere."""
        for old, query, new in (
            (b"/auth/login", b"", b"/admin/sign-in"),
            (b"/dashboard", b"", b"/admin/"),
            (b"/projects", b"page=2&size=10", b"/admin/projects?page=2&size=10"),
            (b"/projects/new", b"", b"/admin/projects/new"),
            (b"/projects/4f2a/edit", b"", b"/admin/projects/4f2a"),
            (b"/tokens/", b"", b"/admin/tokens"),
            (b"/audit/7", b"", b"/admin/audit/7"),
            (b"/tokens//evil.example", b"", b"/admin/tokens"),
            (b"/tokens/../x", b"", b"/admin/tokens"),
        ):
            self.assertEqual(new_address(old, query), new, old)

    def test_redirect(self) -> None:
        request = DummyRequest([b""])
        request.uri = b"/projects/4f2a?x=1"
        OldPages().render_GET(request)
        self.assertEqual(request.responseCode, 302)
        self.assertEqual(request.responseHeaders.getRawHeaders(b"location"), [b"/admin/projects/4f2a?x=1"])
