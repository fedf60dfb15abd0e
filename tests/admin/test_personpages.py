"""Tests for L{llmproxy.admin.personpages}; what the pages do is in those of devices and of what is somebody's own."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from llmproxy.admin.personpages import PersonPages, SignInRefused
from llmproxy.errors import NotFound, Unavailable
from llmproxy.identityerrors import NotGranted

from ..tables import row
from .personbrowser import PersonBrowser


class _Failing(PersonPages):
    area = "some"

    def __init__(self, error: Exception, audit: Any) -> None:
        super().__init__(None, Clock().seconds, None, audit)  # type: ignore[arg-type]
        self._error = error

    async def _find(self, exchange: Any) -> None:
        raise self._error


class FailureTests(PersonBrowser, SynchronousTestCase):
    place = "/some"

    def log(self, action: str, actor: str, outcome: str, **details: object) -> None:
        self.noted.append((action, actor, outcome, details["reason"]))

    def test_said(self) -> None:
        """Whatever becomes of it is a page, and who is refused is in the audit log."""
        for error, status, words, noted in (
            (SignInRefused("Begin again."), 400, "Begin again.", []),
            (NotGranted("no rule is for you"), 403, "no rule is for you", [("some.sign_in", "anonymous", "denied")]),
            (Unavailable("away"), 503, "cannot answer now", []),
            (NotFound(message="device not found"), 404, "device not found", []),
        ):
            with row(error):
                self.noted: list[Any] = []
                self.cookies = {}
                self.pages = Resource()
                self.pages.putChild(b"some", _Failing(error, self))
                shown = self.visit("/")
                self.assertEqual((shown.status, [each[:3] for each in self.noted]), (status, noted))
                self.assertIn(words, shown.text)
