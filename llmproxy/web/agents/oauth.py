"""OAuth's endpoints of the device flow: RFC 8414, RFC 8628, RFC 6749 and RFC 7009, for public clients."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl

import msgspec

from ...core.deviceflow import DEVICE_GRANT, REFRESH_GRANT
from ...core.failures import Failures
from ...core.oautherrors import OAuthRefusal
from ...errors import ContentTooLarge, ProxyError, Unavailable
from ...management.devices import Reused, Stale
from ..answerresource import AnswerResource, WholeAnswer, content_within
from ..clientaddress import client_of
from .access import noted
from .origin import origin_of

if TYPE_CHECKING:
    from twisted.web.server import Request

    from ...core.forwarded import TrustedProxies
    from ...interfaces import IAuditLogger
    from ...management.devices import DeviceRules, Issued

MAX_FORM = 8192
"""Bytes."""

MOST_PARAMETERS = 20

PATHS = {
    "device_authorization_endpoint": "/oauth/device_authorization",
    "token_endpoint": "/oauth/token",
    "revocation_endpoint": "/oauth/revoke",
}
"""Below the base URL that a client has."""

VERIFICATION = "/device"
"""Where a person goes, at the root."""

_FORM = b"application/x-www-form-urlencoded"
_UNCACHED = ((b"Pragma", b"no-cache"),)


class OAuthResource(AnswerResource):
    """
    What all of them have in common: bodies are forms, and refusals OAuth's.

    @param devices: the rules.
    @param place: gives the public URL that is configured, C{""} for what requests say.
    @param failures: of addresses: who fails too often waits.
    """

    methods: ClassVar[tuple[bytes, ...]] = (b"POST",)

    def __init__(
        self,
        devices: DeviceRules,
        seconds: Callable[[], float],
        trusted: TrustedProxies | None,
        place: Callable[[], str],
        audit: IAuditLogger | None,
        failures: Failures,
        draining: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__()
        self._devices = devices
        self._seconds = seconds
        self._trusted = trusted
        self._place = place
        self._audit = audit
        self._failures = failures
        self._draining = draining

    async def answer(self, request: Request) -> WholeAnswer:
        try:
            if self._draining():
                raise OAuthRefusal("temporarily_unavailable", "the proxy is shutting down", 503, 5)
            return await self.granted(request, await _form(request) if request.method == b"POST" else {})
        except OAuthRefusal as refusal:
            return _refusal(refusal)

    async def granted(self, request: Request, form: dict[str, str]) -> WholeAnswer:
        """
        @raise OAuthRefusal: it is not.
        """
        raise NotImplementedError

    def refused(self, error: ProxyError, request: Request) -> WholeAnswer:
        """What is no refusal of OAuth's in its shape all the same."""
        code: Any = "invalid_request" if error.status < 500 else "server_error"
        if isinstance(error, Unavailable):
            code = "temporarily_unavailable"
        answer = _refusal(OAuthRefusal(code, _ascii(error.message), error.status))
        return WholeAnswer(answer.status, answer.content, fields=(*answer.fields, *error.fields))

    def check_patience(self, client: str) -> None:
        """
        @raise OAuthRefusal: it has failed too often.
        """
        wait = self._failures.wait(client, self._seconds())
        if wait > 0:
            raise OAuthRefusal("temporarily_unavailable", "too many requests of this address", 429, math.ceil(wait))

    def failed(self, client: str) -> None:
        self._failures.failed(client, self._seconds())

    def note(self, action: str, actor: str, outcome: str, request: Request, **details: object) -> None:
        if self._audit is not None:
            self._audit.log(action, actor, outcome, **noted(request), **details)


class Metadata(OAuthResource):
    """
    C{GET /.well-known/oauth-authorization-server}: where the others are, for everybody.

    @ivar base: the path of the base URL that it describes; C{""} is the root.
    """

    methods: ClassVar[tuple[bytes, ...]] = (b"GET",)
    base = ""

    async def granted(self, request: Request, form: dict[str, str]) -> WholeAnswer:
        issuer = origin_of(request, self._trusted, self._place()) + self.base
        return _json(
            {
                "issuer": issuer,
                **{name: issuer + path for name, path in PATHS.items()},
                "grant_types_supported": [DEVICE_GRANT, REFRESH_GRANT],
                "response_types_supported": [],
                "token_endpoint_auth_methods_supported": ["none"],
                "revocation_endpoint_auth_methods_supported": ["none"],
                "gateway_protocol_version": 1,
            }
        )


class DeviceAuthorization(OAuthResource):
    """RFC 8628 section 3.1: a program asks to be let in. Every such request counts against its address."""

    async def granted(self, request: Request, form: dict[str, str]) -> WholeAnswer:
        client = client_of(request)
        self.check_patience(client)
        self.failed(client)
        program = form.get("client_id") or _program(request, not form)
        begun = await self._devices.begin(program, form.get("device_name", ""), client)
        page = origin_of(request, self._trusted, self._place()) + VERIFICATION
        return _json(
            {
                "device_code": begun.device_code,
                "user_code": begun.user_code,
                "verification_uri": page,
                "verification_uri_complete": f"{page}?user_code={begun.user_code}",
                "expires_in": round(begun.grant.expires_at - begun.grant.created_at),
                "interval": round(begun.grant.interval),
            }
        )


class TokenEndpoint(OAuthResource):
    """RFC 6749 section 5 and 6, RFC 8628 section 3.4: codes and refresh tokens for tokens."""

    async def granted(self, request: Request, form: dict[str, str]) -> WholeAnswer:
        kind, client = form.get("grant_type", ""), client_of(request)
        if not kind:
            raise OAuthRefusal("invalid_request", "grant_type is missing")
        if kind == DEVICE_GRANT:
            return await self._redeemed(request, _needed(form, "device_code"), client)
        if kind == REFRESH_GRANT:
            return await self._refreshed(request, _needed(form, "refresh_token"), client)
        raise OAuthRefusal("unsupported_grant_type", "expected the grant of a device code or a refresh token")

    async def _redeemed(self, request: Request, code: str, client: str) -> WholeAnswer:
        self.check_patience(client)
        try:
            issued = await self._devices.redeem(code)
        except OAuthRefusal as refusal:
            if refusal.code == "invalid_grant":
                self._denied("device.token", refusal, request, client)
            raise
        self.note("device.token", issued.person.actor, "success", request, **_details(issued))
        return self._issued(issued)

    async def _refreshed(self, request: Request, text: str, client: str) -> WholeAnswer:
        self.check_patience(client)
        try:
            issued = await self._devices.refresh(text, client)
        except Stale as refusal:
            # Nobody guesses, and nobody has to wait: another process of this program was first.
            self.note("device.refresh", "anonymous", "denied", request, reason="stale", device_id=refusal.device.id)
            raise
        except Reused as refusal:
            self.note(
                "device.reuse",
                "anonymous",
                "denied",
                request,
                reason="refresh_token_reused",
                device_id=refusal.device.id,
                person_id=refusal.device.person_id,
                token_id=refusal.device.token_id,
            )
            raise
        except OAuthRefusal as refusal:
            self._denied("device.refresh", refusal, request, client)
            raise
        self.note("device.refresh", issued.person.actor, "success", request, **_details(issued))
        return self._issued(issued)

    def _denied(self, action: str, refusal: OAuthRefusal, request: Request, client: str) -> None:
        self.failed(client)
        self.note(action, "anonymous", "denied", request, reason=refusal.code)

    def _issued(self, issued: Issued) -> WholeAnswer:
        expires_at = issued.token.expires_at
        assert expires_at is not None, "it withers"
        return _json(
            {
                "access_token": issued.secret,
                "token_type": "Bearer",
                "expires_in": max(0, math.floor(expires_at - self._seconds())),
                "refresh_token": issued.refresh_token,
            }
        )


class Revocation(OAuthResource):
    """RFC 7009: who has a refresh token signs its device out. What is none is answered likewise."""

    async def granted(self, request: Request, form: dict[str, str]) -> WholeAnswer:
        client = client_of(request)
        self.check_patience(client)
        device = await self._devices.sign_out(_needed(form, "token"))
        if device is None:
            self.failed(client)
        else:
            self.note(
                "device.sign_out", "anonymous", "success", request, device_id=device.id, person_id=device.person_id
            )
        return _json({})


def _details(issued: Issued) -> dict[str, object]:
    token = issued.token
    return {
        "token_id": token.id,
        "project_id": token.project_id,
        "device_id": issued.device.id,
        "program": issued.device.program,
        "device": issued.device.device,
    }


async def _form(request: Request) -> dict[str, str]:
    kind = (request.getHeader(b"content-type") or b"").partition(b";")[0].strip().lower()
    try:
        content = await content_within(request, MAX_FORM)
    except ContentTooLarge:
        raise OAuthRefusal("invalid_request", f"at most {MAX_FORM} bytes are accepted", 413) from None
    if kind != _FORM:
        if not content and not kind:
            return {}
        raise OAuthRefusal("invalid_request", "expected application/x-www-form-urlencoded")
    try:
        pairs = parse_qsl(content.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise OAuthRefusal("invalid_request", "expected a form in UTF-8") from None
    found = dict(pairs)
    if len(found) < len(pairs):
        raise OAuthRefusal("invalid_request", "a parameter stands there twice")
    # A parameter without a value is as one that is not there, RFC 6749 section 3.2; PostgreSQL takes no NUL.
    return {name: value.replace("\0", "") for name, value in found.items() if value}


def _needed(form: dict[str, str], name: str) -> str:
    if name not in form:
        raise OAuthRefusal("invalid_request", f"{name} is missing")
    return form[name]


def _program(request: Request, is_empty: bool) -> str:
    """What a program is called that does not say it in its form."""
    agent = (request.getHeader(b"user-agent") or b"").decode("latin-1").split(" ")[0]
    if is_empty and agent.startswith("axios/"):
        # Claude Code's sign-in says nothing but what library it asks with, which nobody would know again.
        return f"Claude Code ({agent})"
    return agent or "an unnamed program"


def _json(value: dict[str, Any]) -> WholeAnswer:
    return WholeAnswer(content=msgspec.json.encode(value) + b"\n", fields=_UNCACHED)


def _refusal(refusal: OAuthRefusal) -> WholeAnswer:
    body = {"error": refusal.code}
    if refusal.description:
        body["error_description"] = refusal.description
    fields = list(_UNCACHED)
    if refusal.retry_after is not None:
        fields.append((b"Retry-After", b"%d" % refusal.retry_after))
    if refusal.status == 401:
        fields.append((b"WWW-Authenticate", b"Bearer"))
    return WholeAnswer(refusal.status, msgspec.json.encode(body) + b"\n", fields=tuple(fields))


def _ascii(text: str) -> str:
    return "".join(each if " " <= each <= "~" and each not in '"\\' else " " for each in text)
