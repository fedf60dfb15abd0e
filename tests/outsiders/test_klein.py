"""A Klein application with the proxy below C{/llm}."""

from __future__ import annotations

from typing import Any

from treq.testing import StubTreq
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy import APIConfig, APIProviderConfig
from llmproxy.testing import SECRET, MemoryProxy

try:
    from klein import Klein
except ImportError:
    Klein = None

APIS = APIConfig(
    {
        name: APIProviderConfig(
            base_url=f"https://{name}.example", allowed_endpoints=["/v1"], allowed_methods=["GET", "POST"]
        )
        for name in ("one", "two")
    },
    "one",
)


def application(resource: Any) -> Any:
    app = Klein()

    @app.route("/")
    def home(request: object) -> bytes:
        return b"home"

    @app.route("/llm", branch=True)
    def llm(request: object) -> Any:
        return resource

    return app


class KleinTests(SynchronousTestCase):
    skip = None if Klein else "klein is not installed: pip install '.[test]'"

    def setUp(self) -> None:
        self.clock = Clock()
        self.proxy = MemoryProxy(APIS)
        self.client = StubTreq(application(self.proxy.proxy.resource()).resource())

    def send(self, method: str, path: str, **others: Any) -> Any:
        headers = {"Authorization": f"Bearer {SECRET}"}
        sending = self.client.request(method, f"http://app{path}", headers=headers, **others)
        self.client.flush()
        return sending

    def test_own_page(self) -> None:
        """The application's own pages are as they were."""
        self.assertEqual(self.successResultOf(self.send("GET", "/")).code, 200)

    def test_below(self) -> None:
        """Below its path stands the proxy: the default API, each by its name, and the exact target."""
        for path, url in (
            ("/llm/v1/a%2Fb?q=1", "https://one.example/v1/a%2Fb?q=1"),
            ("/llm/two/v1/models", "https://two.example/v1/models"),
        ):
            with self.subTest(path=path):
                sending = self.send("GET", path)
                call = self.proxy.upstream.next()
                self.assertEqual(call.url, url, (path, url))
                call.answer(200, b"ok", [(b"X-Odd-CASE", b"1")])
                self.client.flush()
                response = self.successResultOf(sending)
                self.assertEqual((response.code, self.successResultOf(response.text())), (200, "ok"), (path, url))

    def test_bodies(self) -> None:
        """A request's body goes to upstream, and an error is the proxy's."""
        sending = self.send("POST", "/llm/v1/chat", data=b'{"a": 1}')
        call = self.proxy.upstream.next()
        self.assertEqual((call.method, call.json()), ("POST", {"a": 1}))
        call.answer(429, b"slow down")
        self.client.flush()
        self.assertEqual(self.successResultOf(sending).code, 429)
        refused = self.successResultOf(self.send("GET", "/llm/other"))
        self.assertEqual(self.successResultOf(refused.json())["code"], "endpoint_not_found")

    def test_operations(self) -> None:
        """Health is there as well."""
        self.assertEqual(self.successResultOf(self.send("GET", "/llm/health")).code, 200)
