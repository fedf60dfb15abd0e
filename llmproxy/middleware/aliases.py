"""Aliases of models: another name for upstream, and the caller's own in the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.web.iweb import UNKNOWN_LENGTH

from ..bodies import BytesBody
from ..core.fields import first, values, without
from ..core.inspection.contenttype import content_codings
from ..core.modelrename import IN_ANSWERS, IN_REQUESTS, ModelRename
from ..errors import ProxyError
from ..providers.models import model_in_target, with_model
from ..providers.usagereader import EVENT_STREAM, media_type_of
from .breaker import model_of
from .rewritten import Rewritten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twisted.internet.defer import Deferred

    from ..interfaces import Responder
    from ..message import Api, ApiRequest, ApiResponse, Field, Fields, Record

_DIGESTS = frozenset(b"content-digest repr-digest digest content-md5".split())
_LENGTH = frozenset({b"content-length"})
_CODING = frozenset({b"accept-encoding"})


def aliases_for(apis: Iterable[Api]) -> ModelAliases | None:
    """The middleware, if one of C{apis} has aliases; else C{None}."""
    return ModelAliases() if any(upstream.models for api in apis for upstream in api.upstreams) else None


class ModelAliases:
    """
    Stands inside of the attempts: each upstream has its own names. What judges, counts and stores a request knows the
    caller's; C{Record.served} has the one that was served.
    """

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        asked = model_of(request)
        served = request.upstream.models.get(asked, "") if asked else ""
        if served:
            _ask_for(request, asked, served)
        return inner(request).addCallback(_answered, request.record, asked, served)


def _ask_for(request: ApiRequest, asked: str, served: str) -> None:
    if model_in_target(request.target) == asked:
        request.target = with_model(request.target, served)
    # What is coded could not be changed.
    request.fields = [*without(request.fields, _CODING), (b"Accept-Encoding", b"identity")]
    name_in_body(request, lambda name: served if name == asked else None)


def name_in_body(request: ApiRequest, renamed: Callable[[str], str | None]) -> None:
    """
    Change the name of the model in a body of JSON that is not coded; others stay as they are.

    @param renamed: takes a name, and gives another one; C{None} leaves it.
    """
    body = request.body
    if body is None or not _is_json(request.fields) or values(request.fields, b"content-encoding"):
        return
    rename = ModelRename(IN_REQUESTS, renamed)
    if type(body) is BytesBody:
        content = rename.feed(body.content) + rename.end()
        is_chunked = body.length is UNKNOWN_LENGTH
        request.body = BytesBody(content, UNKNOWN_LENGTH if is_chunked else len(content))
        request.fields = _with_length(without(request.fields, _DIGESTS), len(content))
    else:
        request.body = Rewritten(body, rename)
        request.fields = without(request.fields, _DIGESTS | _LENGTH)


def _answered(response: ApiResponse, record: Record, asked: str, served: str) -> ApiResponse:
    record.served = served
    body = response.body
    if not served or body is None or response.upgraded is not None or _is_coded(response.fields):
        return response
    is_stream = media_type_of(first(response.fields, b"content-type") or b"") == EVENT_STREAM
    if not is_stream and not _is_json(response.fields):
        return response
    rename = ModelRename(IN_ANSWERS, _back(record, asked, served), is_stream=is_stream)
    if type(body) is BytesBody:
        content = rename.feed(body.content) + rename.end()
        response.fields = _with_length(without(response.fields, _DIGESTS), len(content))
        response.body = BytesBody(content, UNKNOWN_LENGTH if body.length is UNKNOWN_LENGTH else len(content))
    else:
        response.fields = without(response.fields, _DIGESTS | _LENGTH)
        response.body = Rewritten(body, rename)
    return response


def _back(record: Record, asked: str, served: str) -> Callable[[str], str | None]:
    """What stands behind the name, a date as a rule, stays."""

    def renamed(name: str) -> str | None:
        if not name.startswith(served):
            return None
        record.served = name
        return asked + name[len(served) :]

    return renamed


def _with_length(fields: Fields, length: int) -> list[Field]:
    return [(name, b"%d" % length if name.lower() == b"content-length" else value) for name, value in fields]


def _is_json(fields: Fields) -> bool:
    return b"json" in (first(fields, b"content-type") or b"json").lower()


def _is_coded(fields: Fields) -> bool:
    try:
        return bool(content_codings(fields))
    except ProxyError:
        return True
