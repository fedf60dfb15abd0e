"""RFC 9111 section 4.4."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.caching.invalidation import invalidates, named_targets
from llmproxy.origin import Upstream

from .requests import ORIGIN, api


class InvalidationTests(SynchronousTestCase):
    def test_which_answers(self) -> None:
        """Only what may have changed something, and did not fail."""
        for method, status, expected in (
            (b"POST", 200, True),
            (b"DELETE", 204, True),
            (b"PUT", 303, True),
            (b"X-NEW", 200, True),
            (b"POST", 404, False),
            (b"POST", 500, False),
            (b"GET", 200, False),
            (b"OPTIONS", 200, False),
        ):
            self.assertEqual(invalidates(method, status), expected, (method, status))

    def test_named_targets(self) -> None:
        """Same origin only; relative to the API; a relative reference is resolved."""
        for value, expected in (
            (b"/base/v1/files/1", [b"/v1/files/1"]),
            (b"https://api.test/base/v1/x?y=1", [b"/v1/x?y=1"]),
            (b"https://API.test:443/base/v1/x", [b"/v1/x"]),
            (b"1", [b"/v1/1"]),
            (b"https://evil.test/base/v1/x", []),
            (b"http://api.test/base/v1/x", []),
            (b"https://api.test:444/base/v1/x", []),
            (b"https://api.test/other/v1/x", []),
            (b"/base/v1/files", []),
            (b"https://[", []),
        ):
            got = list(named_targets(api(prefix=b"/base"), b"/v1/files", [(b"Location", value)]))
            self.assertEqual(got, expected, value)

    def test_several_upstreams(self) -> None:
        """An answer names targets by the place of any upstream of its API, each once."""
        several = evolve(api(), upstreams=(Upstream(ORIGIN, b"/base"), Upstream(ORIGIN, b"/other")))
        for value, expected in (
            (b"https://api.test/base/v1/x", [b"/v1/x"]),
            (b"https://api.test/other/v1/x", [b"/v1/x"]),
            (b"1", [b"/v1/1"]),
            (b"https://evil.test/base/v1/x", []),
        ):
            self.assertEqual(list(named_targets(several, b"/v1/files", [(b"Location", value)])), expected, value)

    def test_both_fields(self) -> None:
        """Content-Location names one too."""
        fields = [(b"Location", b"/a"), (b"content-location", b"/b")]
        self.assertEqual(list(named_targets(api(), b"/", fields)), [b"/a", b"/b"])
