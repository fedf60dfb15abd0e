"""Tests for L{llmproxy.providers.registry}."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.providers import registry
from llmproxy.providers.registry import (
    AUTH,
    DIALECTS,
    PROVIDERS,
    SHARED,
    Binding,
    last_events,
    provider_of,
    provider_of_key,
    vendors_of,
)

KEYS = {
    "anthropic": ("sk-ant-api03-" + "a" * 90, "sk-ant-oat01-x", "sk-ant-admin01-x"),
    "openai": ("sk-proj-" + "a" * 120, "sk-svcacct-x", "sk-admin-x", "sk-" + "a" * 20 + "T3BlbkFJ" + "b" * 20),
    "gemini": ("AIza" + "a" * 35, "AQ.Ab8RN6", "ya29.a0AfH6"),
    "openrouter": ("sk-or-v1-" + "a" * 64,),
    "groq": ("gsk_" + "a" * 52,),
    "xai": ("xai-" + "a" * 80,),
    "perplexity": ("pplx-" + "a" * 48,),
    "huggingface": ("hf_" + "a" * 34,),
    "": ("sk-" + "a" * 48, "sk-upstream", "a" * 32, "0123456789abcdef", "EMPTY", "", "x-sk-ant-1", " sk-ant-1"),
}


class ProviderTests(SynchronousTestCase):
    def test_by_host(self) -> None:
        """An address says whose API it is, whatever the API is called."""
        for host, expected in (
            ("api.anthropic.com", "anthropic"),
            ("API.Anthropic.com.", "anthropic"),
            ("eu.api.openai.com", "openai"),
            ("my.openai.azure.com", "azure"),
            ("generativelanguage.googleapis.com", "gemini"),
            ("api.groq.com", "groq"),
            ("api.deepseek.com", "deepseek"),
        ):
            found = provider_of("openai" if expected != "openai" else "other", host)
            self.assertEqual(found and found.name, expected, host)

    def test_no_end_of_a_name(self) -> None:
        """A host of somebody else that only ends like one of the provider's is not the provider's."""
        for host in ("notanthropic.com", "anthropic.com.evil.example", "openai.com-x.example", "evilopenai.com"):
            self.assertIsNone(provider_of("main", host), host)

    def test_by_name(self) -> None:
        """Where the host says nothing, what the API is called does; but only the very name."""
        for name, expected in (("anthropic", "anthropic"), ("Claude", "anthropic"), ("google", "gemini")):
            found = provider_of(name, "127.0.0.1")
            self.assertEqual(found and found.name, expected, name)
        for name in ("main", "openai-compatible", "my-anthropic", ""):
            self.assertIsNone(provider_of(name, "llm.internal"), name)

    def test_shapes(self) -> None:
        """Keys of every age tell whose they are, and what could be anybody's tells nothing."""
        for expected, keys in KEYS.items():
            for key in keys:
                self.assertEqual(provider_of_key(key), expected, key)

    def test_modules(self) -> None:
        """Each module of the package is a vendor's, and found, or one of those that are none."""
        package = Path(registry.__file__).parent
        modules = {path.stem for path in package.glob("*.py")} - {"__init__"}
        self.assertTrue(modules > SHARED)
        for name in modules - SHARED:
            vendors = import_module(f"llmproxy.providers.{name}").PROVIDERS
            self.assertTrue(vendors, name)
            self.assertTrue(set(vendors) <= set(PROVIDERS), name)

    def test_one_of_each(self) -> None:
        """No key fits two providers, and one name of C{auth} is one place."""
        for keys in KEYS.values():
            for key in keys:
                fitting = [each.name for each in PROVIDERS if each.keys is not None and each.keys.match(key)]
                self.assertLessEqual(len(fitting), 1, (key, fitting))
        for provider in PROVIDERS:
            self.assertEqual(AUTH[provider.auth], provider.credential, provider)
        self.assertEqual(list(AUTH), ["bearer", "x-api-key", "api-key", "x-goog-api-key", "none"])
        self.assertEqual(set(DIALECTS), {"proxy", "openai", "anthropic", "gemini"})
        self.assertEqual(last_events("proxy"), ())

    def test_table(self) -> None:
        """No two providers share a name or a host."""
        names = [name for provider in PROVIDERS for name in provider.names]
        hosts = [host for provider in PROVIDERS for host in provider.hosts]
        self.assertEqual((len(names), len(hosts)), (len(set(names)), len(set(hosts))))


NEW = """
from llmproxy.core.places import Places
from llmproxy.origin import CredentialPlace
from llmproxy.providers.provider import Provider, Setup, starting

PROVIDERS = (
    Provider(
        "new", names=("new",), hosts=("new.example",), keys=starting("new-"), auth="x-new-key",
        credential=CredentialPlace("header", b"X-New-Key", b"Key "), query_keys=frozenset({b"new_key"}), dialect="new",
        error_body=lambda status, code, message, request_id: {"new": message}, last_events=(b"new.end",),
        request_ids=(b"x-new-id",), exposed=("X-New-Cost",), referring=(b"x-new-poll",),
        places=Places(one=frozenset({"agents"}), models=(("agent",),), naming=("agents",)),
        setup=Setup("https://api.new.example", ("/v1",)),
    ),
)
"""

ASKED = """
import json, sys
import llmproxy.providers
llmproxy.providers.__path__.append(sys.argv[1])
from llmproxy.cli.setup_files import apis_of
from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.config.rules import auth, dialect
from llmproxy.core.tokens import secret_of
from llmproxy.errors import TokenExpired
from llmproxy.providers.errorbody import render
from llmproxy.providers.exposed import exposed
from llmproxy.providers.models import model_in_target
from llmproxy.providers.registry import REFERRING, SETUPS, last_events, provider_of_key
from llmproxy.providers.requestids import id_among

token = b"sk-AAAAAAAAAAAAAAAAAAAAAA"
provider = APIProviderConfig(
    base_url="https://eu.new.example", allowed_endpoints=["/v1"], allowed_methods=["GET"], auth=auth("x-new-key"),
    dialect=dialect("new"), param_whitelist={"model": ["ok"]},
)
config = APIConfig({"x": provider}, "x")
config.validate()
(api,) = config.compiled()
try:
    api.policy.whitelist.at(b"/v1/agents/evil").check_path(b"/v1/agents/evil")
except Exception as error:
    refused = type(error).__name__
print(json.dumps({
    "provider": api.upstreams[0].provider,
    "query keys": sorted(map(bytes.decode, api.query_keys)),
    "token": secret_of([(b"x-new-key", b"Key " + token)], b"/v1", key_fields=api.key_fields) == token,
    "path": refused,
    "model": model_in_target(b"/v1/agents/a-1/ask"),
    "error": json.loads(render(TokenExpired(), "new", "r"))["new"],
    "end": [each.decode() for each in last_events("new")],
    "id": id_among({b"x-new-id": b"n1"}),
    "exposed": b"X-New-Cost" in exposed([], []),
    "referring": b"x-new-poll" in REFERRING,
    "key": provider_of_key("new-1"),
    "setup": SETUPS["new"].setup.base_url,
}))
"""


class NewVendorTests(SynchronousTestCase):
    def test_one_file(self) -> None:
        """A vendor is one file: with it in the package everything knows of it, and nothing else names it."""
        directory = Path(self.mktemp()).resolve()
        directory.mkdir()
        (directory / "new.py").write_text(NEW)
        ended = subprocess.run(
            [sys.executable, "-c", ASKED, str(directory)],
            cwd=Path(registry.__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(ended.stderr, "")
        self.assertEqual(
            json.loads(ended.stdout),
            {
                "provider": "new",
                "query keys": ["new_key"],
                "token": True,
                "path": "ParamNotAllowed",
                "model": "a-1",
                "error": "Token has expired",
                "end": ["new.end"],
                "id": "n1",
                "exposed": True,
                "referring": True,
                "key": "new",
                "setup": "https://api.new.example",
            },
        )


class VendorsTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Upstreams that are known decide; where none is, the dialect does, unless it is the proxy's own."""
        for providers, dialect, expected in (
            (("openai",), "proxy", ("openai",)),
            (("", "azure", "azure"), "openai", ("", "azure")),
            (("",), "openai", ("openai",)),
            (("",), "anthropic", ("anthropic",)),
            (("",), "proxy", ("",)),
            ((), "gemini", ("gemini",)),
            (("vllm",), "openai", ("vllm",)),
        ):
            self.assertEqual(vendors_of(providers, dialect), expected, (providers, dialect))


class BindingTests(SynchronousTestCase):
    APIS = (("openai", "openai"), ("eu", "openai"), ("anthropic", "anthropic"), ("local", ""))

    def test_table(self) -> None:
        """By the shape, else the default; nothing goes to a provider that it was not made by."""
        ant, proj, aiza, other = (KEYS[name][0] for name in ("anthropic", "openai", "gemini", ""))
        for key, default, expected in (
            (ant, "openai", "anthropic"),
            (ant, "local", "anthropic"),
            (proj, "openai", "openai"),
            (proj, "eu", "eu"),
            (proj, "local", "openai"),
            (aiza, "openai", ""),
            (aiza, "local", ""),
            (other, "local", "local"),
            (other, "anthropic", "anthropic"),
            ("", "openai", "openai"),
        ):
            self.assertEqual(Binding(default, self.APIS).api_for(key), expected, (key, default))
