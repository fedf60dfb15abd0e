"""Faults of requests that the limits of a token, a project or the configuration do not let through."""

from __future__ import annotations

from .errors import ClientError, RateLimitExceeded, Unavailable


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


class LimitReached(RateLimitExceeded):
    """A rate or a number of requests at once; C{x-should-retry} says whether waiting helps."""

    message = "Limit reached"


class BudgetExceeded(RateLimitExceeded):
    """Money. Dialects without a place for the code have it in the words."""

    code, message = "budget_exceeded", "Budget is used up (budget_exceeded)"


class PriceUnknown(ClientError):
    """A budget that is to hold in any case, and a model of which nobody knows what it costs."""

    status, code, message = 403, "price_unknown", "The price of the model is not known (price_unknown)"


class Overloaded(Unavailable):
    """All places for exchanges are taken, and those to wait for one."""

    code, message = "overloaded", "The proxy has as many requests as it may have at once"
