"""Anthropic's API (docs.anthropic.com/en/api, read on 30 November 2026)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..core.inspection.whitelist import EACH
from ..core.places import Places
from ..origin import CredentialPlace
from ..usage import Usage
from .chat import Message, Wishes, items, limits_of, member, text
from .provider import Provider, Setup, starting
from .usage import UsageShape, count, counts, known_members, model_among, total

MAX_TOKENS = 1024
"""What the API must be given, where nothing was said."""

_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def error_body(status: int, code: str, message: str, request_id: str) -> dict[str, object]:
    """The type is what its SDKs tell errors apart by."""
    kind = _ERROR_TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id}


class Chat:
    """Messages."""

    path = "/v1/messages"

    def body(self, messages: Sequence[Message], wishes: Wishes) -> dict[str, Any]:
        system = {"system": wishes.system} if wishes.system else {}
        found = {"model": wishes.model, "messages": [*messages], "stream": wishes.stream, **system} | limits_of(wishes)
        found.setdefault("max_tokens", MAX_TOKENS)
        return found

    def text_of_event(self, event: Any) -> str:
        return text(member(event, "delta"), "text") if text(event, "type") == "content_block_delta" else ""

    def text_of_answer(self, answer: Any) -> str:
        return "".join(text(block, "text") for block in items(answer, "content"))


_MODELS = ("message.model", "model")


def usage_of(found: Mapping[str, Any]) -> Usage | None:
    """
    Messages: what was read from the cache and written to it stands beside C{input_tokens}, not within. In a stream,
    C{message_start} begins and the last C{message_delta} has the sums.
    """
    begun, raw = known_members(found.get("message.usage")), known_members(found.get("usage"))
    if begun:
        raw = begun | raw
    if _SIGNS.isdisjoint(raw) or not raw.keys().isdisjoint(_OTHERS):
        return None
    fresh, cached, written, out = counts(raw, _COUNTED)
    if "iterations" in raw:
        parts = (counts(each, _COUNTED) for each in _compactions(raw))
        fresh, cached, written, out = map(total, (fresh, cached, written, out), *parts)
    return Usage(
        input_tokens=None if fresh is None else total(fresh, cached, written),
        cached_input_tokens=cached,
        cache_write_tokens=written,
        output_tokens=out,
        reasoning_tokens=count(raw.get("output_tokens_details"), "thinking_tokens"),
        served_model=model_among(found, _MODELS),
        raw=raw,
    )


_COUNTED = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
_SIGNS = frozenset({"input_tokens", "output_tokens"})

_OTHERS = ("total_tokens", "input_tokens_details", "input_token_details")
"""Members that other vendors have beside C{input_tokens}."""


def _compactions(raw: dict[str, Any]) -> list[Any]:
    """What the sums leave out: a model's own summaries of a context. An advisor is another model, and not added."""
    return [each for each in items(raw, "iterations") if member(each, "type") == "compaction"]


PROVIDERS = (
    Provider(
        "anthropic",
        book="anthropic",
        names=("anthropic", "claude"),
        hosts=("anthropic.com",),
        keys=starting("sk-ant-"),
        auth="x-api-key",
        credential=CredentialPlace("header", b"x-api-key", b""),
        dialect="anthropic",
        error_body=error_body,
        last_events=(b"message_stop",),
        request_ids=(b"request-id",),
        exposed=(
            "request-id",
            *(
                f"anthropic-ratelimit-{of}-{what}"
                for of in ("requests", "tokens", "input-tokens", "output-tokens")
                for what in ("limit", "remaining", "reset")
            ),
            "anthropic-organization-id",
        ),
        exposed_families=("anthropic-",),
        # Message Batches
        places=Places(calls=(("requests", EACH, "params"),), lines=(("params",),)),
        chat=Chat(),
        free=frozenset({b"count_tokens", b"batches"}),
        usages=(UsageShape(("message.usage", "usage"), _MODELS, usage_of, ("message.id",), _SIGNS),),
        setup=Setup("https://api.anthropic.com", ("/v1/messages", "/v1/models", "/v1/files")),
    ),
)
