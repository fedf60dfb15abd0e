"""The table that every vendor is tested by."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.compile import compile_api
from llmproxy.config.model import APIProviderConfig
from llmproxy.core.credentials import without_keys
from llmproxy.core.inspection import jsonbody
from llmproxy.core.inspection.endpointrules import Rules
from llmproxy.core.inspection.steps import finish
from llmproxy.core.masking import mask
from llmproxy.core.redirects import led_back
from llmproxy.core.tokens import secret_of
from llmproxy.errors import ParamNotAllowed
from llmproxy.origin import Origin, Upstream
from llmproxy.providers.errorbody import event, render
from llmproxy.providers.exposed import exposed
from llmproxy.providers.models import model_in_target
from llmproxy.providers.provider import Provider
from llmproxy.providers.registry import (
    AUTH,
    DIALECTS,
    PLACES,
    PROVIDERS,
    REFERRING,
    last_events,
    provider_of,
    provider_of_key,
)
from llmproxy.providers.requestids import id_among

from ..tables import row

TOKEN = b"sk-AAAAAAAAAAAAAAAAAAAAAA"

if TYPE_CHECKING:
    _Case = SynchronousTestCase
else:
    _Case = object


class VendorTable(_Case):
    """
    What a vendor's module says is what the rest of the proxy goes by.

    @cvar hosts: addresses of its API.
    @cvar strange_hosts: addresses that look like it.
    @cvar secrets: keys in its shape.
    @cvar fields: response fields that a page may read.
    @cvar ids: response fields that hold the id of a request.
    @cvar paths: paths that name the model C{evil}.
    @cvar bodies: JSON bodies in which the model C{evil} stands.
    @cvar harmless: paths that name no model.
    @cvar unseen: paths to which content goes that cannot be judged.
    @cvar named: targets, and the model that a record says they are for.
    @cvar stripped: targets with a key of a client, and what upstream sees of them.
    """

    provider: Provider
    hosts: Sequence[str] = ()
    strange_hosts: Sequence[str] = ()
    secrets: Sequence[str] = ()
    fields: Sequence[bytes] = ()
    ids: Sequence[bytes] = ()
    stripped: Mapping[bytes, bytes] = {}
    paths: Sequence[str] = ()
    bodies: Sequence[Any] = ()
    harmless: Sequence[str] = ()
    unseen: Sequence[str] = ()
    named: Mapping[bytes, str] = {}

    def test_found(self) -> None:
        """The registry has it without naming it."""
        self.assertIn(self.provider, PROVIDERS)

    def test_hosts(self) -> None:
        """An address of its API is known as such, and what only looks like one is not."""
        provider = self.provider
        for host in (*self.hosts, *provider.hosts):
            self.assertIs(provider_of("x", host), provider, host)
        for host in self.strange_hosts:
            self.assertIsNot(provider_of("x", host), provider, host)
        for name in provider.names:
            self.assertIs(provider_of(name, "127.0.0.1"), provider, name)

    def test_keys(self) -> None:
        """A key in its shape is known as its own."""
        for key in self.secrets:
            self.assertEqual(provider_of_key(key), self.provider.name, key)
            # Of any usual length.
            self.assertNotIn(key, mask(f"sent {key}{'a1B2' * 8} there"), key)

    def test_credential(self) -> None:
        """Its key goes where it is configured by the short name, and clients of its SDK may send their token there."""
        provider = self.provider
        self.assertEqual(AUTH[provider.auth], provider.credential)
        api = compile_api("x", APIProviderConfig("https://llm.internal", auth=provider.credential))
        sent = [(provider.credential.name, provider.credential.prefix + TOKEN)]
        self.assertEqual(secret_of(sent, b"/v1", key_fields=api.key_fields), TOKEN)
        for name in provider.query_keys:
            self.assertEqual(secret_of([], b"/v1?%b=%b" % (name, TOKEN), query_keys=provider.query_keys), TOKEN, name)

    def test_compiled(self) -> None:
        """An API at its address is compiled as one of its own, and keys in a query go no further."""
        provider = self.provider
        for host in provider.hosts:
            api = compile_api("x", APIProviderConfig(f"https://{host}", auth=provider.credential))
            self.assertEqual(api.upstreams[0].provider, provider.name, host)
            for target, expected in self.stripped.items():
                self.assertEqual(without_keys(target, api.query_keys), expected, target)

    def test_dialect(self) -> None:
        """Its errors are in a dialect that there is, and nothing of a request breaks out of one."""
        provider = self.provider
        self.assertIn(provider.dialect, DIALECTS)
        self.assertEqual(provider.error_body is not None, provider.name in DIALECTS)

    def test_fields(self) -> None:
        """Pages may read what its SDKs look for; its support finds a request by what it calls it."""
        names = [name.lower() for name in self.fields]
        shown = exposed(names, []).lower().split(b", ")
        for name in names:
            self.assertIn(name, shown)
        self.assertEqual(len(shown), len(set(shown)))
        for name in (*self.ids, *self.provider.request_ids):
            self.assertEqual(id_among({name: b"req_1"}), "req_1", name)

    def test_models(self) -> None:
        """Wherever it carries a model, a whitelist finds it, and lets the one pass that is allowed."""
        for places in (self.provider.places, PLACES):
            rules = Rules.compile({"model": ["ok"]}, places)
            for path in self.paths:
                with row(places, path):
                    self.assertRaises(ParamNotAllowed, rules.check_path, path.encode())
                rules.check_path(path.replace("evil", "ok").encode())
            for path in self.harmless:
                rules.check_path(path.encode())
            for body in self.bodies:
                content = json.dumps(body)
                with row(places, body):
                    self.assertRaises(ParamNotAllowed, judged, rules, content)
                judged(rules, content.replace("evil", "ok"))
            for path in self.unseen:
                self.assertTrue(rules.is_unseen(path.encode()), path)

    def test_named(self) -> None:
        """The model that a target names stands in the record."""
        for target, name in self.named.items():
            self.assertEqual(model_in_target(target), name, target)

    def test_references(self) -> None:
        """A field of its own that holds a reference to it holds one to the proxy."""
        upstreams = (Upstream(Origin("https", "up.example", 443, b"up.example")),)
        for name in self.provider.referring:
            self.assertIn(name, REFERRING)
            fields = [(name, b"https://up.example/v1/x")]
            found = led_back(fields, REFERRING, upstreams, b"https://llm.example", b"/a")
            self.assertEqual(found, [(name, b"https://llm.example/a/v1/x")], name)

    def error(self, error: Any) -> bytes:
        return render(error, self.provider.name, "r-1")

    def event(self, error: Any) -> bytes:
        return event(error, self.provider.name)

    def ends(self) -> Sequence[bytes]:
        return last_events(self.provider.name)


def judged(rules: Rules, content: str) -> None:
    """Judge a body; raises L{ParamNotAllowed}."""
    finish(jsonbody.inspection(content.encode(), rules.bodies.root))
