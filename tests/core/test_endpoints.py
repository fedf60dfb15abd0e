"""Tests for L{llmproxy.core.endpoints}; L{tests.core.test_policy} has what a policy makes of them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.endpoints import Endpoints, settled


class EndpointsTests(SynchronousTestCase):
    def test_find(self) -> None:
        """The longest plain entry is found first, then one with a star."""
        endpoints = Endpoints.compile(["/v1", "/v1/files", "/v2/*/x"])
        for path, entry in (
            (b"/v1/files/f-1", "/v1/files"),
            (b"/v1/filesX", "/v1"),
            (b"/v2/a/x/y", "/v2/*/x"),
            (b"/v2/a", None),
        ):
            self.assertEqual(endpoints.find(path), entry, path)

    def test_settled(self) -> None:
        """What would change the structure of a path stays encoded, in one spelling."""
        self.assertEqual(settled(b"/a%2fb%5cc%25d%7Ee"), b"/a%2Fb%5Cc%25d~e")
