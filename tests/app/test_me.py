"""Tests for L{llmproxy.app.me}; what the pages do is in those of L{llmproxy.admin.mepages}."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from treq.testing import StubTreq
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.proxy import TransparentProxy
from llmproxy.config import APIConfig, APIProviderConfig

from .test_identity import identity

API = 503
"""What the path of an API answers while the proxy has not started."""


class PathTests(SynchronousTestCase):
    def answered(self, path: str, **config: Any) -> tuple[int, str]:
        """What a proxy in the memory of this process answers, and where it leads."""
        api = APIProviderConfig("https://a.example", allowed_endpoints=["/v1"], allowed_methods=["POST"])
        settings = evolve(APIConfig({"openai": api}, "openai", identity=identity()), **config)
        proxy = TransparentProxy(MemoryReactorClock(), settings, database_url=":memory:", management_token="m" * 20)
        client = StubTreq(proxy.resource())
        asking = client.request("GET", f"http://proxy.example{path}", allow_redirects=False)
        client.flush()
        response = self.successResultOf(asking)
        return response.code, (response.headers.getRawHeaders("location") or [""])[0]

    def test_there(self) -> None:
        """Where people sign in it is at the proxy itself; an API of that name comes first."""
        self.assertEqual(self.answered("/me"), (303, "/me/"))
        self.assertEqual(self.answered("/me/")[0], 200)
        self.assertEqual(self.answered("/me/sign-in/nobody")[0], 400)
        api = APIProviderConfig("https://a.example", allowed_endpoints=["/v1"], allowed_methods=["POST"])
        self.assertEqual(self.answered("/me/", apis={"openai": api, "me": api})[0], API)

    def test_not_there(self) -> None:
        """Without an identity provider there is no such page."""
        self.assertEqual(self.answered("/me/", identity=None)[0], API)

    def test_in_a_sandbox(self) -> None:
        """As there are pages at the address of APIs, no API is a page beside them."""
        api = APIProviderConfig("https://a.example", allowed_endpoints=["/v1"], allowed_methods=["POST"])
        for people in (identity(), None):
            config = APIConfig({"openai": api}, "openai", identity=people)
            proxy = TransparentProxy(MemoryReactorClock(), config, database_url=":memory:", management_token="m" * 20)
            self.assertEqual(proxy.settings.any_pages_beside_apis, people is not None, people)
