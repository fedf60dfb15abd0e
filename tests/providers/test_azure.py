"""Tests for L{llmproxy.providers.azure}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.inspection.endpointrules import Rules
from llmproxy.errors import ParamNotAllowed
from llmproxy.providers.azure import PROVIDERS

from ..tables import row
from .vendors import VendorTable, judged


class AzureTests(VendorTable, SynchronousTestCase):
    (provider,) = PROVIDERS
    hosts = ("my-resource.openai.azure.com", "x.services.ai.azure.com")
    strange_hosts = ("openai.com", "azure.com", "blob.core.windows.net")
    fields = (b"apim-request-id", b"x-ms-region", b"operation-location")
    ids = (b"apim-request-id", b"x-ms-request-id")
    stripped = {
        b"/openai/realtime?api-key=mine&deployment=x": b"/openai/realtime?deployment=x",
        b"/openai/realtime?API-Key=mine": b"/openai/realtime",
    }
    paths = ("/openai/deployments/evil/chat/completions", "/openai/deployments/evil/images/generations")
    harmless = ("/openai/deployments", "/openai/v1/chat/completions")
    bodies = ({"deployment": "evil"},)
    unseen = ("/openai/files/import",)
    named = {b"/openai/deployments/gpt-4o/chat/completions?api-version=1": "gpt-4o"}

    def test_batch_elsewhere(self) -> None:
        """A batch whose lines are in a store of Azure's is refused under a rule of the model, and under no other."""
        for patterns, refused in (({"model": ["ok"]}, True), ({"n": ["1"]}, False)):
            rules = Rules.compile(patterns, self.provider.places)
            content = '{"input_blob": "https://blob.example/x"}'
            if refused:
                with row(patterns):
                    self.assertRaises(ParamNotAllowed, judged, rules, content)
            else:
                judged(rules, content)
