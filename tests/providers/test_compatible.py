"""Tests for L{llmproxy.providers.compatible}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.inspection.endpointrules import Rules
from llmproxy.core.masking import mask
from llmproxy.errors import ParamNotAllowed
from llmproxy.providers.compatible import PROVIDERS
from llmproxy.providers.registry import BY_NAME, SETUPS, provider_of, provider_of_key

from ..tables import row
from .vendors import judged

KEYS = {
    "openrouter": ("sk-or-v1-" + "a" * 64, "sk-or-" + "a" * 20 + "T3BlbkFJ" + "b" * 20),
    "groq": ("gsk_" + "a" * 52,),
    "xai": ("xai-" + "a" * 80,),
    "perplexity": ("pplx-" + "a" * 48,),
    "huggingface": ("hf_" + "a" * 34,),
    "nvidia": ("nvapi-x",),
    "fireworks": ("fw_x",),
    "cerebras": ("csk-x",),
    "replicate": ("r8_x",),
    "together": ("tgp_x",),
}


class CompatibleTests(SynchronousTestCase):
    def test_each(self) -> None:
        """Each is known by its name, its host and, where keys have a shape, its keys; and speaks as OpenAI does."""
        for provider in PROVIDERS:
            self.assertIs(BY_NAME[provider.name], provider)
            self.assertEqual((provider.dialect, provider.auth), ("openai", "bearer"), provider)
            for host in provider.hosts:
                self.assertIs(provider_of("x", f"api.{host}"), provider)
            for name in provider.names:
                self.assertIs(provider_of(name, "127.0.0.1"), provider)
            self.assertEqual(provider.keys is not None, provider.name in KEYS, provider.name)
            for key in KEYS.get(provider.name, ()):
                self.assertEqual(provider_of_key(key), provider.name, key)
                # Of any usual length.
                self.assertNotIn(key, mask(f"sent {key}{'a1B2' * 8} there"), key)

    def test_setup(self) -> None:
        """Those with an address can be set up."""
        self.assertIn("groq", SETUPS)
        self.assertNotIn("xai", SETUPS)


class PlacesTests(SynchronousTestCase):
    def test_bodies(self) -> None:
        """Where others carry a model."""
        for name, body in (
            ("openrouter", '{"models": ["ok", "evil"]}'),
            ("openrouter", '{"fallbacks": [{"model": "evil"}]}'),
            ("mistral", '{"requests": [{"custom_id": "1", "body": {"model": "evil"}}]}'),
            ("elevenlabs", '{"model_id": "evil"}'),
        ):
            rules = Rules.compile({"model": ["ok"]}, BY_NAME[name].places)
            with row(name):
                self.assertRaises(ParamNotAllowed, judged, rules, body)
            judged(rules, body.replace("evil", "ok"))

    def test_paths(self) -> None:
        """Names with slashes of their own."""
        rules = Rules.compile({"model": ["@cf/meta/ok"]}, BY_NAME["cloudflare"].places)
        rules.check_path(b"/client/v4/accounts/a/ai/run/@cf/meta/ok")
        self.assertRaises(ParamNotAllowed, rules.check_path, b"/client/v4/accounts/a/ai/run/@cf/meta/evil")
