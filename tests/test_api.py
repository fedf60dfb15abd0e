"""Tests for L{llmproxy.api}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy import message
from llmproxy.api import Api, Dialect, Route
from llmproxy.origin import CredentialPlace, Origin, Timeouts, Upstream

HERE = Upstream(Origin("https", "a.example", 443, b"a.example"))
THERE = Upstream(
    Origin("https", "b.example", 443, b"b.example"), credential=CredentialPlace("query", b"key"), key_source="client"
)


def an_api(*upstreams: Upstream) -> Api:
    return Api("a", upstreams, "proxy", Timeouts(), None)


class ApiTests(SynchronousTestCase):
    def test_one_place(self) -> None:
        """What the path of a request would have to ask of every upstream is found out once."""
        api = an_api(HERE)
        self.assertEqual((api.is_balanced, api.is_clients), (False, False))
        self.assertEqual(api.key_fields, frozenset({b"authorization"}))

    def test_several(self) -> None:
        """One upstream with the proxy's key is enough for an API not to be its clients'."""
        api = an_api(HERE, THERE)
        self.assertEqual((api.is_balanced, api.is_clients), (True, False))
        self.assertIn(b"key", api.query_keys)
        self.assertTrue(an_api(THERE).is_clients)

    def test_names(self) -> None:
        """They are values of messages, too."""
        self.assertEqual((message.Api, message.Route, message.Dialect), (Api, Route, Dialect))
