"""Tests for L{llmproxy.core.telemetry.conventions}."""

from __future__ import annotations

from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.telemetry.conventions import (
    OPERATIONS,
    PROVIDERS,
    SYSTEMS,
    named,
    operation_of,
    provider_name,
    semconv_of,
)
from llmproxy.providers.registry import BY_NAME

from ...tables import row


class OperationTests(SynchronousTestCase):
    def test_table(self) -> None:
        """What is asked of a model is known by where, in the API of any vendor; what asks none has no operation."""
        for method, path, expected in (
            ("POST", "/v1/chat/completions", "chat"),
            ("POST", "/openai/deployments/gpt/chat/completions", "chat"),
            ("POST", "/v1/completions", "text_completion"),
            ("POST", "/v1/responses", "chat"),
            ("POST", "/v1/messages", "chat"),
            ("POST", "/v1/messages/count_tokens", ""),
            ("POST", "/v1/embeddings", "embeddings"),
            ("POST", "/v1beta/models/gemini-2.5-pro:streamGenerateContent", "generate_content"),
            ("POST", "/v1beta/models/gemini-2.5-pro:countTokens", ""),
            ("POST", "/v1beta/models/e:embedContent", "embeddings"),
            ("POST", "/model/anthropic.claude/converse-stream", "chat"),
            ("POST", "/v2/chat", "chat"),
            ("POST", "/v1/threads/t1/runs", "invoke_agent"),
            ("POST", "/v1/threads/t1/messages", ""),
            ("POST", "/v1/images/generations", "generate_content"),
            ("POST", "/v1/files", ""),
            ("GET", "/v1/responses/resp_1", "fetch_response"),
            ("GET", "/v1/chat/completions", ""),
            ("GET", "/v1/models", ""),
            ("DELETE", "/v1/responses/resp_1", ""),
        ):
            with row((method, path)):
                self.assertEqual(operation_of(method, path), expected)

    def test_well_known(self) -> None:
        """The names are those that OpenTelemetry's own package has, and a few that are younger."""
        known = {each.value for each in gen_ai_attributes.GenAiOperationNameValues}
        self.assertEqual({name for _, name in OPERATIONS} - known, set())
        providers = {each.value for each in gen_ai_attributes.GenAiProviderNameValues}
        self.assertEqual(set(PROVIDERS.values()) - providers, set())
        self.assertEqual(set(SYSTEMS.values()) - {each.value for each in gen_ai_attributes.GenAiSystemValues}, set())

    def test_ours(self) -> None:
        """Each of them is a provider that we know."""
        self.assertEqual(PROVIDERS.keys() - BY_NAME.keys(), set())


class ProviderTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Whose a model is, by the name of its provider, or by its host where that says more."""
        for provider, host, expected in (
            ("openai", "api.openai.com", "openai"),
            ("azure", "x.openai.azure.com", "azure.ai.openai"),
            ("azure", "x.services.ai.azure.com", "azure.ai.inference"),
            ("gemini", "us-central1-aiplatform.googleapis.com", "gcp.vertex_ai"),
            ("gemini", "generativelanguage.googleapis.com", "gcp.gemini"),
            ("", "api.moonshot.ai", "moonshot_ai"),
            ("vllm", "10.0.0.1", "vllm"),
            ("", "10.0.0.1", "_OTHER"),
            ("", "notapi.moonshot.ai", "_OTHER"),
        ):
            with row((provider, host)):
                self.assertEqual(provider_name(provider, host), expected)

    def test_versions(self) -> None:
        """Each version has its own name for it; both have both."""
        self.assertEqual(named("legacy", "xai"), {"gen_ai.system": "xai"})
        self.assertEqual(named("latest", "xai"), {"gen_ai.provider.name": "x_ai"})
        self.assertEqual(named("both", "openai"), {"gen_ai.system": "openai", "gen_ai.provider.name": "openai"})

    def test_opted(self) -> None:
        """The variable that everybody has for it."""
        for value, expected in (
            ("gen_ai_latest_experimental", "latest"),
            ("http, gen_ai_latest_experimental", "latest"),
            ("http/dup", None),
            ("", None),
        ):
            self.assertEqual(semconv_of(value), expected, value)
