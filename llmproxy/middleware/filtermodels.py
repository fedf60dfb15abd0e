"""Filtering of lists of models: a caller sees those that it may use."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from ..bodies import BytesBody, collect
from ..core.codings import Decoder
from ..core.fields import without
from ..core.inspection.contenttype import content_codings
from ..core.modellists import filtered, is_list
from ..errors import ClientError, UpstreamProtocolError

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from ..interfaces import Responder
    from ..message import Api, ApiRequest, ApiResponse
    from .allowing import Allowing

_CONDITIONS = frozenset(
    (b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since", b"if-range", b"range")
)
"""They are about the whole list, which the caller does not get."""

_OF_THE_WHOLE = frozenset(
    (
        *(b"content-length", b"content-encoding", b"content-range", b"accept-ranges", b"etag", b"last-modified"),
        *(b"content-md5", b"digest", b"content-digest", b"repr-digest", b"cache-control", b"expires"),
    )
)


class FilterModels:
    """
    Stands outside the cache, which holds the whole list for everybody. A list that cannot be read is an error: it could
    name what is not to be seen.

    @param allowing: what callers may use, beside what the API's own whitelist allows.
    """

    def __init__(self, allowing: Allowing) -> None:
        self._allowing = allowing

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        route = request.route
        if not route.api.settings.filter_models or request.method not in (b"GET", b"HEAD") or not is_list(route.path):
            return inner(request)
        policy = self._allowing.policy_for(request)
        rules = policy.whitelist.at(route.path)
        if rules is None or rules.model is None:
            return inner(request)
        request.fields = without(request.fields, {*_CONDITIONS, b"accept-encoding"})
        request.fields.append((b"Accept-Encoding", b"identity"))
        return inner(request).addCallback(_filter, rules.model.allows, policy.max_inspected_body)


def filter_models_for(apis: Iterable[Api], allowing: Allowing) -> FilterModels | None:
    """C{None} where no API has it so."""
    return FilterModels(allowing) if any(api.settings.filter_models for api in apis) else None


def _filter(response: ApiResponse, allows: Callable[[str], bool], limit: int) -> ApiResponse | Deferred[ApiResponse]:
    if response.status != 200:
        return response
    codings = content_codings(response.fields)
    response.fields = [*without(response.fields, _OF_THE_WHOLE), (b"Cache-Control", b"no-store")]
    if response.body is None:
        return response
    return collect(response.body, limit, _unreadable).addCallback(partial(_shown, response, codings, allows, limit))


def _shown(
    response: ApiResponse, codings: tuple[bytes, ...], allows: Callable[[str], bool], limit: int, content: bytes
) -> ApiResponse:
    try:
        content = filtered(_decoded(content, codings, limit), allows)
    except (ValueError, ClientError):
        raise _unreadable() from None
    response.body = BytesBody(content)
    response.fields.append((b"Content-Length", str(len(content)).encode("ascii")))
    return response


def _decoded(content: bytes, codings: tuple[bytes, ...], limit: int) -> bytes:
    if not codings:
        return content
    decoder = Decoder(codings, limit)
    pieces = list(decoder.feed(content))
    decoder.end()
    return b"".join(pieces)


def _unreadable() -> UpstreamProtocolError:
    return UpstreamProtocolError("its list of models cannot be read, so that it cannot be shown in part")
