"""Tests for L{llmproxy.middleware.debug}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy import __version__
from llmproxy.middleware.debug import DebugFields

from .fakes import a_request, a_response, an_api, answering


class DebugFieldsTests(SynchronousTestCase):
    def test_not_asked_for(self) -> None:
        """An API that does not ask for them has answers without a word about the proxy."""
        response = a_response(fields=[(b"A", b"b")])
        request = a_request(api=an_api())
        self.successResultOf(DebugFields().respond(request, answering(response)))
        self.assertEqual(response.fields, [(b"A", b"b")])

    def test_asked_for(self) -> None:
        """One that does has the version, and what upstream took."""
        fields = [(b"A", b"b")]
        request = a_request(api=an_api(debug_fields=True))
        request.record.upstream_first_byte = 0.01234
        response = self.successResultOf(DebugFields().respond(request, answering(a_response(fields=fields))))
        self.assertEqual(
            response.fields,
            [(b"A", b"b"), (b"X-Proxy", b"llmproxy/" + __version__.encode()), (b"Server-Timing", b"upstream;dur=12.3")],
        )
        self.assertEqual(fields, [(b"A", b"b")])

    def test_attempts(self) -> None:
        """What was tried before, and why nothing more was."""
        request = a_request(api=an_api(debug_fields=True))
        request.record.details = {
            "tried": [
                {"upstream": "a", "status": 503, "took": 12.3},
                {"upstream": "b", "cause": "refused", "took": 0.4},
            ],
            "not_retried": "attempts",
        }
        response = self.successResultOf(DebugFields().respond(request, answering(a_response())))
        self.assertIn((b"X-Proxy-Attempts", b"a 503 12ms, b refused 0ms"), response.fields)
        self.assertIn((b"X-Proxy-Not-Retried", b"attempts"), response.fields)
