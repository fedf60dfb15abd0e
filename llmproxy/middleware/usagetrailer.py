"""The trailer that tells a client what its answer has used, where C{meter: {usage_trailer: true}} asks for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from attrs import fields as attributes
from twisted.web.iweb import UNKNOWN_LENGTH

from ..bodies import BytesBody, Tap
from ..core.fields import first
from ..core.prices import written
from ..usage import Usage

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    from ..interfaces import Responder
    from ..message import Api, ApiRequest, ApiResponse, Record

NAME = b"X-LLMProxy-Usage"

_ANNOUNCED = (b"Trailer", NAME)
_LOWER = NAME.lower()

_COUNTS = tuple(each.name for each in attributes(Usage) if each.name not in ("served_model", "raw"))


def usage_trailer_for(apis: Iterable[Api], price: Callable[[Record], object]) -> UsageTrailer | None:
    """The middleware of those of C{apis} that want it; C{None} if there is none."""
    return UsageTrailer(price) if any(_is_wanted(api) for api in apis) else None


def _is_wanted(api: Api) -> bool:
    meter = api.settings.meter
    return meter is not None and meter.usage_trailer


class UsageTrailer:
    """
    Outside of the cache, which stores answers without it. Only framings that have trailers get one: chunks (RFC 9112
    section 7.1.2) and HTTP/2 (RFC 9113 section 8.1).

    @param price: notes the cost of what was used in a record, where the price is at hand.
    """

    def __init__(self, price: Callable[[Record], object]) -> None:
        self._price = price

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        responding = inner(request)
        return responding.addCallback(self._head, request) if _is_wanted(request.route.api) else responding

    def _head(self, response: ApiResponse, request: ApiRequest) -> ApiResponse:
        body, record = response.body, request.record
        if body is None or response.upgraded is not None or not 200 <= response.status < 300:
            return response
        if record.method == "HEAD" or not _has_trailers(request.version, response, body.length):
            return response
        # A new list: that of a cached response belongs to the cache.
        response.fields = [*response.fields, _ANNOUNCED]
        if isinstance(body, BytesBody):
            response.trailers = [*response.trailers]
            self._add(response, record)
        else:

            def ended(reason: Failure | None) -> None:
                if reason is None:
                    self._add(response, record)

            response.body = Tap(body, None, ended)
        return response

    def _add(self, response: ApiResponse, record: Record) -> None:
        self._price(record)
        said = summary_of(record)
        # A proxy of ours behind this one has said what it knew.
        response.trailers[:] = [pair for pair in response.trailers if pair[0].lower() != _LOWER]
        if said:
            response.trailers.append((NAME, json.dumps(said, separators=(",", ":")).encode("ascii")))


def _has_trailers(version: bytes, response: ApiResponse, length: object) -> bool:
    if version == b"HTTP/2":
        return True
    return version == b"HTTP/1.1" and length is UNKNOWN_LENGTH and first(response.fields, b"content-length") is None


def summary_of(record: Record) -> dict[str, Any]:
    """
    What a client gets to know of its exchange: the words of the access log; what is not known is left out, and all of
    it where nothing was used.
    """
    usage, saved = record.usage, record.saved
    if usage is None and saved is None:
        return {}
    found: dict[str, Any] = {} if usage is None else _counts(usage)
    if record.model:
        found["model"] = record.model
    if usage is not None and not usage.is_known:
        found["unknown"] = True
    if record.estimated:
        found["estimated"] = True
    if record.cost is not None:
        found["cost"] = written(record.cost)
    if saved is not None:
        found["saved"] = _counts(saved)
    if record.cost_saved is not None:
        found["cost_saved"] = written(record.cost_saved)
    return found


def _counts(usage: Usage) -> dict[str, Any]:
    counts = {name: value for name in _COUNTS if (value := getattr(usage, name)) is not None}
    return {**counts, "served_model": usage.served_model} if usage.served_model else counts
