"""Tests for L{llmproxy.providers.azure}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.providers.azure import PROVIDERS

from .vendors import VendorTable


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
