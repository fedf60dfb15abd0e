"""Restrictions: whether the caller may ask for this."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.fields import first
from ..core.overrides import other_method, override
from ..core.requestbody import inspect_query
from ..core.routing import shown
from ..errors import (
    EndpointNotFound,
    EndpointUnchecked,
    HeaderRequired,
    MethodNotAllowed,
    OriginNotAllowed,
    OriginRequired,
)

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from ..core.policy import Policy
    from ..interfaces import Responder
    from ..message import ApiRequest, ApiResponse, Fields
    from .allowing import Allowing
    from .checking.inspection import Inspection


class Restrict:
    """
    Applies the policy of the API: method, endpoint, origin, required fields, parameters.

    A body is read only where a whitelist of parameters applies; then it goes on as the same bytes.

    @param listed: says where the APIs are.
    @param allowing: what tokens and projects may use; C{None} where requests have no principal.
    """

    def __init__(self, inspection: Inspection, listed: str = "", allowing: Allowing | None = None) -> None:
        self._inspection = inspection
        self._listed = listed
        self._allowing = allowing

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        route = request.route
        policy: Policy = route.api.policy
        allowing = self._allowing
        if allowing is not None and (allowing.has_defaults or request.principal.has_lists):
            policy = allowing.policy_for(request)
        if not policy.allows_method(request.method):
            raise MethodNotAllowed(policy.methods)
        if policy.methods:
            name = override(request.fields, request.target)
            if name:
                raise other_method(policy.methods, name)
        # The route has the entry that allows it; only where it names none must the policy be asked.
        if not route.endpoint and policy.endpoint(route.path) is None:
            raise EndpointNotFound(f"{shown(request.record.path)} is no endpoint of {route.api.name}; {self._listed}")
        if policy.origin_required or policy.origins:
            _check_origin(policy, request.fields)
        if policy.required_headers:
            _check_required(policy, request.fields)
        if policy.whitelist.general is not None or policy.whitelist.by_endpoint:
            return self._check_parameters(policy, request, inner)
        return inner(request)

    def _check_parameters(self, policy: Policy, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        path = request.route.path
        rules = policy.whitelist.at(path)
        if rules is None:
            return inner(request)
        inspect_query(request.target.partition(b"?")[2], rules.bodies)
        rules.check_path(path)
        if rules.is_unseen(path):
            raise EndpointUnchecked(_UNCHECKED)
        return self._inspection.respond(policy, rules, request, inner)


_UNCHECKED = (
    "what is uploaded here cannot be checked for its model; unchecked_endpoints of the configuration can allow it, but "
    "not for a token or project that is limited to some models"
)


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
