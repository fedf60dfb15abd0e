"""Tests for L{llmproxy.middleware.attempts}."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import ApiKeyMissing
from llmproxy.message import Api, ApiRequest, Principal
from llmproxy.middleware.attempts import Attempts
from llmproxy.middleware.credential import Credential
from llmproxy.origin import CredentialPlace, OwnKey

from .fakes import PRINCIPAL, SECRET, Inner, a_request, an_api, an_upstream


class KeyTests(SynchronousTestCase):
    def attempted(self, api: Api, **keys: tuple[str, ...]) -> ApiRequest:
        inner = Inner()
        principal = Principal(PRINCIPAL.token, evolve(PRINCIPAL.project, api_keys=keys))
        fields = [(b"Authorization", b"Bearer " + SECRET), (b"X-API-Key", SECRET)]
        request = a_request(target=b"/v1?key=" + SECRET, fields=fields, api=api)
        request.principal = principal
        Attempts().respond(request, lambda request: Credential().respond(request, inner))
        return inner.requests[0]

    def test_of_this_api(self) -> None:
        """Of the keys that a project holds the one for this API is sent, and the first where it has several."""
        keys = {"openai": ("sk-o",), "gemini": ("AIza-1", "AIza-2"), "local": ("sk-l",)}
        for name, expected in (("openai", "sk-o"), ("gemini", "AIza-1"), ("local", "sk-l")):
            request = self.attempted(an_api(name), **keys)
            self.assertEqual(request.key, expected)
            self.assertEqual(request.fields, [(b"Authorization", b"Bearer " + expected.encode())])

    def test_own(self) -> None:
        """The upstream's own key is for those that have none for the API."""
        api = an_api("gemini", own_key=OwnKey("AIza-own", None))
        self.assertEqual(self.attempted(api, openai=("sk-o",)).key, "AIza-own")
        self.assertEqual(self.attempted(api, gemini=("AIza-1",)).key, "AIza-1")

    def test_missing(self) -> None:
        """Where nobody has asked before whether there is a key, nothing is sent without one either."""
        self.assertRaises(ApiKeyMissing, self.attempted, an_api("gemini"), openai=("sk-o",))

    def test_none(self) -> None:
        """A server without keys is asked with none, whatever the project holds."""
        request = self.attempted(an_api("local", credential=CredentialPlace("none", b"", b"")), local=("sk-l",))
        self.assertEqual((request.key, request.fields, request.target), ("", [], b"/v1"))

    def test_upstream(self) -> None:
        """The request goes to the first upstream; its key is that of this one."""
        one, two = (an_upstream(path_prefix=path, own_key=OwnKey(path.decode(), None)) for path in (b"/one", b"/two"))
        api = an_api("gemini", upstreams=(one, two))
        request = self.attempted(api)
        self.assertIs(request.upstream, one)
        self.assertEqual(request.key, "/one")

    def test_key_is_not_shown(self) -> None:
        """A request that ends up in a traceback does not show which key was chosen for it."""
        request = self.attempted(an_api("local"), local=("sk-canary",))
        request.fields = []
        self.assertNotIn("canary", repr(request))
