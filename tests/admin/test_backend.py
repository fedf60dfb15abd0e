"""What pages say to the API."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.admin.backend import ApiError, Browser, fields_sent, segment


class BackendTests(SynchronousTestCase):
    def test_segments(self) -> None:
        """A name stays one segment of a path, whatever is in it."""
        for text, quoted in (("a/b", "a%2Fb"), ("..", "%2E%2E"), (".", "%2E"), ("ä?", "%C3%A4%3F"), ("x-1", "x-1")):
            self.assertEqual(segment(text), quoted, text)

    def test_fields(self) -> None:
        """The browser is named, unless it names itself with what no field can hold."""
        self.assertEqual(fields_sent(Browser("1.2.3.4", "ff\r\nX: y", "")), {"X-Admin-Origin": "1"})
        self.assertEqual(fields_sent(Browser("", "ff", "http://x/"))["X-Forwarded-Referer"], "http://x/")

    def test_error(self) -> None:
        """A refusal is a sentence."""
        self.assertEqual(str(ApiError(400, "x", "invalid name", "too long")), "invalid name: too long")
