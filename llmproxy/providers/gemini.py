"""Google's Gemini API, and Vertex AI (ai.google.dev/api, cloud.google.com/vertex-ai, read on 30 November 2026)."""

from __future__ import annotations

from ..origin import CredentialPlace
from .provider import Provider, Setup, starting

_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def error_body(status: int, code: str, message: str, request_id: str) -> dict[str, object]:
    """The status is repeated as a number and by its name in C{google.rpc.Code}."""
    name = _STATUSES.get(status, "INVALID_ARGUMENT" if status < 500 else "INTERNAL")
    return {"error": {"code": status, "message": message, "status": name}}


PROVIDERS = (
    Provider(
        "gemini",
        names=("gemini", "google"),
        hosts=("googleapis.com",),
        keys=starting(r"AIza|AQ\.|ya29\."),
        auth="x-goog-api-key",
        credential=CredentialPlace("header", b"x-goog-api-key", b""),
        query_keys=frozenset({b"key"}),
        dialect="gemini",
        error_body=error_body,
        last_events=(b'"finishReason"',),
        request_ids=(b"x-goog-request-id",),
        exposed=("X-Goog-Upload-URL", "X-Goog-Upload-Status", "X-Goog-Upload-Chunk-Granularity"),
        exposed_families=("x-goog-upload-",),
        setup=Setup("https://generativelanguage.googleapis.com", ("/v1beta/models", "/v1beta/openai")),
    ),
)
