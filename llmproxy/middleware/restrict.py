"""Whether the caller may ask for this."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..bodies import BytesBody, collect
from ..core.fields import first, values
from ..core.inspection.contenttype import MediaType, content_codings, media_type
from ..core.overrides import override
from ..core.requestbody import inspect, inspect_query
from ..errors import (
    ContentTooLarge,
    EndpointNotFound,
    HeaderRequired,
    MethodNotAllowed,
    OriginNotAllowed,
    OriginRequired,
    UnsupportedMediaType,
)

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.web.iweb import IBodyProducer

    from ..core.policy import Policy
    from ..interfaces import Responder
    from ..message import ApiRequest, ApiResponse, Fields


class Restrict:
    """
    Applies the policy of the API: method, endpoint, origin, required fields, parameters.

    A body is read only where a whitelist of parameters applies, up to C{max_inspected_body}; then it goes
    on as the same bytes in one piece.
    """

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        route = request.route
        policy: Policy = route.api.policy
        if not policy.allows_method(request.method):
            raise MethodNotAllowed(policy.methods)
        if policy.methods:
            name = override(request.fields, request.target)
            if name:
                raise _other_method(policy, name)
        # The route has the entry that allows it; only where it names none must the policy be asked.
        if not route.endpoint and policy.endpoint(route.path) is None:
            raise EndpointNotFound()
        if policy.origin_required or policy.origins:
            _check_origin(policy, request.fields)
        if policy.required_headers:
            _check_required(policy, request.fields)
        if policy.whitelist:
            return self._inspect(policy, request, inner)
        return inner(request)

    def _inspect(self, policy: Policy, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        inspect_query(request.target.partition(b"?")[2], policy.whitelist)
        body = request.body
        if body is None or body.length == 0:
            return inner(request)
        kind = _media_type(request.fields)
        return self._read(policy, body).addCallback(self._checked, kind, policy, request, inner)

    def _read(self, policy: Policy, body: IBodyProducer) -> Deferred[bytes]:
        limit = policy.max_inspected_body
        length = body.length
        if isinstance(length, int) and length > limit:
            raise _too_large(limit)
        return collect(body, limit, lambda: _too_large(limit))

    def _checked(
        self, content: bytes, kind: MediaType, policy: Policy, request: ApiRequest, inner: Responder
    ) -> Deferred[ApiResponse]:
        request.model = inspect(kind, content, policy.whitelist)
        request.body = BytesBody(content)
        return inner(request)


def _other_method(policy: Policy, name: str) -> MethodNotAllowed:
    return MethodNotAllowed(policy.methods, f"'{name[:40]}' asks for another method; send the request with that one")


def _check_origin(policy: Policy, fields: Fields) -> None:
    origin = first(fields, b"origin")
    if origin is None:
        if policy.origin_required:
            raise OriginRequired()
    elif policy.origins and not policy.allows_origin(origin):
        raise OriginNotAllowed()


def _check_required(policy: Policy, fields: Fields) -> None:
    present = {name.lower() for name, _ in fields}
    for name in policy.required_headers:
        if name not in present:
            raise HeaderRequired(name.decode("latin-1"))


def _media_type(fields: Fields) -> MediaType:
    """
    What the body is said to be; fails where upstream could read it otherwise.

    RFC 9110 section 15.5.16: a 415 for a content coding says which ones would do.
    """
    if content_codings(fields):
        raise UnsupportedMediaType(
            "a request body with a content coding cannot be checked", fields=((b"Accept-Encoding", b"identity"),)
        )
    return media_type(values(fields, b"content-type"))


def _too_large(limit: int) -> ContentTooLarge:
    return ContentTooLarge(f"parameters are checked in bodies of up to {limit} bytes")
