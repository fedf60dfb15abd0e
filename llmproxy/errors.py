"""
Faults of an exchange, each with the status and code that the client gets.

A L{ProxyError} knows its status, code and public words. If something should not reach a client,
it is not one. Names, statuses and codes are those of the reference where it has them.
"""

from __future__ import annotations

from typing import Literal

from .message import Cause, Field


class ProxyError(Exception):
    """
    A fault that the client hears of.

    @cvar status: the HTTP status.
    @cvar code: the machine-readable C{code}.
    @cvar message: the words of C{error}.
    @cvar retryable: whether another attempt could do better (nothing was answered yet).
    @ivar description: a further sentence for the client, or C{""}; never a secret, a path or
        the text of a foreign exception.
    @ivar fields: header fields that RFC 9110 wants beside this status.
    """

    status = 500
    code = "internal_error"
    message = "Internal server error"
    retryable = False

    def __init__(self, description: str = "", *, message: str = "", fields: tuple[Field, ...] = ()) -> None:
        # What a client sent can be quoted here, half of a surrogate pair too, and every text must go into JSON.
        message, description = _encodable(message), _encodable(description)
        super().__init__(message or self.message, description)
        if message:
            self.message = message
        self.description = description
        self.fields = fields

    def __str__(self) -> str:
        """A sentence, for logs and operators."""
        return f"{self.message}: {self.description}" if self.description else self.message


def _encodable(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


class InternalError(ProxyError):
    """A fault of our own; the log has the traceback, the client does not."""


# -- what the client sent ---------------------------------------------------------------------------


class ClientError(ProxyError):
    """The client's fault."""


class BadRequest(ClientError):
    status, code, message = 400, "bad_request", "Bad request"


class ParamNotAllowed(ClientError):
    status, code, message = 400, "param_not_allowed", "Parameter not allowed"


class InvalidTags(ClientError):
    status, code, message = 400, "invalid_tags", "X-LLMProxy-Tags cannot be used"


class OriginRequired(ClientError):
    status, code, message = 400, "origin_required", "Origin header required"


class HeaderRequired(ClientError):
    status, code, message = 400, "header_required", "Required header is missing"


class Unauthorized(ClientError):
    """RFC 9110 section 15.5.2: a 401 carries a challenge."""

    status, code, message = 401, "invalid_token", "Invalid token"
    challenge = b'Bearer realm="llmproxy"'

    def __init__(self, description: str = "", *, message: str = "", fields: tuple[Field, ...] = ()) -> None:
        super().__init__(description, message=message, fields=((b"WWW-Authenticate", self.challenge), *fields))


class InvalidToken(Unauthorized):
    challenge = b'Bearer realm="llmproxy", error="invalid_token"'


class MissingToken(Unauthorized):
    """RFC 6750 section 3.1: without credentials the challenge names no error."""


class AmbiguousCredentials(Unauthorized):
    """Two different tokens in one request: whose it is cannot be said. The challenge is of RFC 6750 section 3.1."""

    code, message = "ambiguous_credentials", "Two different tokens were sent"
    challenge = b'Bearer realm="llmproxy", error="invalid_request"'


class TokenNotFound(InvalidToken):
    code, message = "token_not_found", "Token not found"


class TokenInactive(InvalidToken):
    code, message = "token_inactive", "Token is inactive"


class TokenExpired(InvalidToken):
    code, message = "token_expired", "Token has expired"


class TokenRevoked(InvalidToken):
    """The token, or its project, was revoked while its answer was running."""

    code, message = "token_inactive", "Token is inactive"


class OriginNotAllowed(ClientError):
    status, code, message = 403, "origin_not_allowed", "Origin not allowed"


class ProjectInactive(ClientError):
    status, code, message = 403, "project_inactive", "Project is inactive"


class ProjectDeactivated(ProjectInactive):
    """The project was deactivated while its answer was awaited."""


class ApiKeyMissing(ClientError):
    """The caller's project holds no key for the API. The code is in the words: some dialects have no place for it."""

    status, code, message = 403, "api_key_missing", "The project has no key for this API (api_key_missing)"

    def __init__(self, api: str = "", *, message: str = "") -> None:
        words = f"it is asked only with a key that was given for it; llmproxy project set-key PROJECT {api} gives one"
        super().__init__(words, message=message or f"The project has no key for the API {api!r} (api_key_missing)")


class EndpointUnchecked(ClientError):
    """A whitelist cannot hold at this endpoint, which is closed for that reason."""

    status, code, message = 403, "endpoint_unchecked", "Endpoint cannot be checked"


class EndpointNotFound(ClientError):
    status, code, message = 404, "endpoint_not_found", "Endpoint not found"


class MethodNotAllowed(ClientError):
    """RFC 9110 section 15.5.6: a 405 carries C{Allow}."""

    status, code, message = 405, "method_not_allowed", "Method not allowed"

    def __init__(self, allowed: tuple[bytes, ...], description: str = "", *, message: str = "") -> None:
        super().__init__(description, message=message, fields=((b"Allow", b", ".join(allowed)),))


class ModelNotServed(ClientError):
    """None of the upstreams of the API is for the model."""

    status, code, message = 404, "model_not_served", "No upstream serves the model"


class NotFound(ClientError):
    """What a management call names does not exist."""

    status, code, message = 404, "not_found", "not found"


class Forbidden(ClientError):
    """Known, and not allowed to."""

    status, code, message = 403, "forbidden", "not allowed"


class DuplicateName(ClientError):
    """A project's name is taken already."""

    status, code, message = 409, "duplicate_name", "a project with this name exists already"


class DuplicateAdmin(DuplicateName):
    """An admin's name is taken by one who is not revoked."""

    message = "an admin with this name exists already"


class Conflict(ClientError):
    """What is asked for does not fit what is there."""

    status, code, message = 409, "conflict", "conflict"


class PreconditionFailed(ClientError):
    """RFC 9110 section 15.5.13: C{If-Match} names a version that is not the present one."""

    status, code, message = 412, "precondition_failed", "precondition failed"


class Unprocessable(ClientError):
    """RFC 9110 section 15.5.21: well formed, and of the right types, and still not possible."""

    status, code, message = 422, "unprocessable", "unprocessable"


class RequestBodyTimeout(ClientError):
    status, code, message = 408, "request_timeout", "Request body took too long"


class ContentTooLarge(ClientError):
    status, code, message = 413, "content_too_large", "Request body is too large"


class UnsupportedMediaType(ClientError):
    status, code, message = 415, "unsupported_media_type", "Unsupported media type"


class RateLimitExceeded(ClientError):
    status, code, message = 429, "rate_limit_exceeded", "Rate limit exceeded"


class TokenUsedUp(RateLimitExceeded):
    """A token has made all requests that it may. The code is the reference's; the words do not sound like waiting."""

    message = "Token is used up"


# -- what upstream did ------------------------------------------------------------------------------


Progress = Literal["unsent", "sent", "answered"]
"""How far a request had come: nothing was sent; upstream may have it, in part or whole; its answer had begun."""


class UpstreamError(ProxyError):
    """
    Upstream's fault, or the network's on the way there.

    @ivar cause: of which kind it is.
    @ivar progress: what is known of the request then; with C{retryable} it decides whether it may be sent again, see
        L{llmproxy.core.attempts.may_repeat}.
    @ivar description: what there is to add to the kind, see L{llmproxy.core.causes.described}.
    """

    status, code, message = 502, "upstream_error", "Proxy error"
    retryable = True
    cause: Cause = "upstream"
    progress: Progress = "sent"

    def __init__(self, description: str = "", *, cause: Cause | None = None, progress: Progress | None = None) -> None:
        super().__init__(description)
        if cause is not None:
            self.cause = cause
        if progress is not None:
            self.progress = progress


class UpstreamUnreachable(UpstreamError):
    """No connection: refused, unroutable, no such name. Nothing was sent."""

    code, cause, progress = "upstream_unreachable", "unreachable", "unsent"


class UpstreamTlsError(UpstreamError):
    """The certificate or the handshake is not acceptable. Nothing was sent."""

    code, cause, progress = "upstream_tls_error", "tls", "unsent"
    retryable = False


class UpstreamReset(UpstreamError):
    """The connection ended before the response did."""

    code, cause = "upstream_reset", "reset"


class UpstreamProtocolError(UpstreamError):
    """What came is not HTTP, or is framed so that it could be read in two ways."""

    code, cause, progress = "upstream_protocol_error", "protocol", "answered"
    retryable = False


class LoopDetected(ProxyError):
    """RFC 5842 section 7.2: the request has been through this very proxy already."""

    status, code, message = 508, "loop_detected", "Loop detected"


Phase = Literal["connect", "response_header", "silence", "request"]

_TIMEOUTS: dict[Phase, Cause] = {
    "connect": "connect_timeout",
    "response_header": "response_header_timeout",
    "silence": "silence_timeout",
    "request": "request_timeout",
}


class UpstreamTimeout(UpstreamError):
    """
    @ivar phase: which of the L{Timeouts} has passed.
    """

    status, code, message = 504, "timeout", "Request timeout"

    def __init__(self, phase: Phase, *, cause: Cause | None = None) -> None:
        super().__init__(cause=cause or _TIMEOUTS[phase], progress=None if phase != "connect" else "unsent")
        self.phase = phase


# -- the proxy itself -------------------------------------------------------------------------------


class Unavailable(ProxyError):
    """Something that the answer depends on is away for now."""

    status, code, message = 503, "service_unavailable", "Service temporarily unavailable"

    def __init__(self, description: str = "", *, retry_after: int = 1) -> None:
        super().__init__(description, fields=((b"Retry-After", b"%d" % max(1, retry_after)),))


class OutOfResources(Unavailable):
    """
    This machine has no descriptor, port or memory left for a connection to upstream. Nothing was sent.

    @ivar cause: which of them.
    @ivar progress: see L{UpstreamError}.
    """

    code, message = "out_of_resources", "The proxy cannot open another connection"
    retryable = True
    progress: Progress = "unsent"

    def __init__(self, cause: Cause) -> None:
        super().__init__()
        self.cause = cause


class TooMuchWithheld(Unavailable):
    """The bodies that are held back to be checked take all the memory that they may (C{limits: withheld})."""

    code, message = "too_much_withheld", "Too many request bodies are being checked"
    retryable = True


class UpstreamAuthError(Unavailable):
    """The project has no usable upstream key."""

    code, message = "upstream_auth_error", "Upstream authentication error"


class OutcomeUnknown(Unavailable):
    """The database was lost while a transaction was committed: it may have happened, or not."""


class NotCached(ClientError):
    """RFC 9111 section 5.2.1.7: C{only-if-cached}, and nothing is stored that would do."""

    status, code, message = 504, "not_cached", "Nothing in the cache answers this request"


class BreakerOpen(Unavailable):
    code, message = "circuit_open", "Upstream unavailable (circuit breaker open)"


class Draining(Unavailable):
    code = "draining"


# -- not for clients --------------------------------------------------------------------------------


class ClientLeft(Exception):
    """The client closed its connection before the exchange had ended."""


class BodyStopped(Exception):
    """A body was stopped by the one who read it, before its end."""


class ConfigError(Exception):
    """
    Something an operator must correct; its text is what stderr shows, one problem a line.

    @ivar problems: the sentences, each naming where, what was expected and what is known.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
