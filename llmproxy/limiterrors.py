"""Faults of requests that the limits of a token, a project or the configuration do not let through."""

from __future__ import annotations

from .errors import ClientError


class NotPermitted(ClientError):
    """What a token or a project may use does not have it."""

    status = 403


class ModelNotAllowed(NotPermitted):
    code, message = "model_not_allowed", "Model not allowed"


class ApiNotAllowed(NotPermitted):
    code, message = "api_not_allowed", "API not allowed"


class EndpointNotAllowed(NotPermitted):
    code, message = "endpoint_not_allowed", "Endpoint not allowed"


class AddressNotAllowed(NotPermitted):
    code, message = "address_not_allowed", "Address not allowed"
