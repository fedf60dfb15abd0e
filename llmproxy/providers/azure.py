"""Azure OpenAI and Azure AI Foundry (learn.microsoft.com/azure/ai-services/openai, read on 30 November 2026)."""

from __future__ import annotations

from ..core.places import Places
from ..origin import CredentialPlace
from .provider import Provider

PROVIDERS = (
    Provider(
        "azure",
        book="azure",
        names=("azure",),
        hosts=("openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.com"),
        auth="api-key",
        credential=CredentialPlace("header", b"api-key", b""),
        # Of its Realtime API, for browsers.
        query_keys=frozenset({b"api-key"}),
        request_ids=(b"apim-request-id", b"x-ms-request-id"),
        exposed=("Operation-Location",),
        exposed_families=("x-ms-", "apim-request-id"),
        # Of operations that take long.
        referring=(b"azure-asyncoperation", b"operation-location"),
        places=Places(
            # /openai/deployments/X/chat/completions
            one=frozenset({"deployments"}),
            # A batch file that is somewhere else already.
            unseen_ends=(b"/files/import",),
            absent=("input_blob",),
            naming=("deployments",),
            # The query of Realtime.
            models=(("deployment",),),
        ),
    ),
)
