"""A client of the device flow (RFC 8628): a program that a person lets in at a proxy."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

import click
from attrs import frozen

from ..core.deviceflow import DEVICE_GRANT, REFRESH_GRANT
from .credentials import SignIn
from .faults import Fault, Refused, Unreachable
from .http import Address, Answer, parse_address
from .output import warn
from .target import opener

WELL_KNOWN = "/.well-known/oauth-authorization-server"

MOST_WAIT = 60.0
"""Seconds between two questions, however a proxy slows a program down, or cannot be reached."""


@frozen
class Asked:
    """What a proxy has answered to a program that asks to be let in."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: float
    interval: float


@frozen
class Endpoints:
    """Paths, below the address of the proxy."""

    device_authorization: str
    token: str
    revocation: str


class Denied(Refused):
    """An answer of OAuth's that ends a sign-in; @ivar code: its C{error}."""

    def __init__(self, words: str, code: str) -> None:
        super().__init__(words)
        self.code = code


class OAuthClient:
    """
    @param url: where the proxy is.
    """

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        self.address = address_of(url)
        self.url = self.address.text.rstrip("/")
        self._http = opener()(self.address, timeout)

    def endpoints(self) -> Endpoints:
        """
        @raise Fault: people cannot sign in there.
        """
        answer = self._http.ask("GET", WELL_KNOWN, {"Accept": "application/json"})
        if answer.status in (401, 404, 405):
            raise Fault(
                f"{self.url}: nobody can sign in at this proxy; its configuration needs agents: {{sign_in: on}}"
            )
        found = self._said(answer)
        names = ("device_authorization_endpoint", "token_endpoint", "revocation_endpoint")
        return Endpoints(*(self._path(found.get(name)) for name in names))

    def ask(self, endpoints: Endpoints, program: str, device: str) -> Asked:
        """Ask to be let in."""
        form = {"client_id": program, "device_name": device}
        found = self._said(self._post(endpoints.device_authorization, form))
        try:
            page = str(found["verification_uri"])
            return Asked(
                str(found["device_code"]),
                str(found["user_code"]),
                page,
                str(found.get("verification_uri_complete") or page),
                float(found["expires_in"]),
                float(found.get("interval") or 5.0),
            )
        except (KeyError, TypeError, ValueError):
            raise Fault(f"{self.url}: what it answered is none of RFC 8628") from None

    def wait(
        self, endpoints: Endpoints, asked: Asked, seconds: Callable[[], float], sleep: Callable[[float], object]
    ) -> SignIn:
        """
        Wait until somebody has decided.

        @raise Denied: they have refused, or nobody has decided in time.
        """
        form = {"grant_type": DEVICE_GRANT, "device_code": asked.device_code}
        interval, until = max(1.0, asked.interval), seconds() + asked.expires_in
        wait = interval
        while True:
            if seconds() + wait >= until:
                raise Denied(_WORDS["expired_token"], "expired_token")
            sleep(wait)
            try:
                answer = self._post(endpoints.token, form)
            except Unreachable:
                # RFC 8628 section 3.5: less and less often.
                wait = min(2 * wait, MOST_WAIT)
                continue
            wait = interval
            code = _error(answer)
            if code == "authorization_pending":
                continue
            if code == "slow_down":
                wait = interval = min(interval + 5.0, MOST_WAIT)
                continue
            if answer.status in (429, 502, 503, 504):
                wait = min(2 * wait, MOST_WAIT)
                continue
            return self._signed_in(self._said(answer), endpoints, seconds())

    def refresh(self, sign_in: SignIn, now: float) -> SignIn:
        """
        The next pair of tokens.

        @raise Denied: the sign-in is over.
        """
        form = {"grant_type": REFRESH_GRANT, "refresh_token": sign_in.refresh_token}
        answer = self._post(sign_in.token_endpoint, form)
        endpoints = Endpoints("", sign_in.token_endpoint, sign_in.revocation_endpoint)
        return self._signed_in(self._said(answer), endpoints, now)

    def revoke(self, sign_in: SignIn) -> None:
        """Sign out there."""
        self._said(self._post(sign_in.revocation_endpoint, {"token": sign_in.refresh_token}))

    def _post(self, path: str, form: dict[str, str]) -> Answer:
        fields = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        found: Answer = self._http.ask("POST", path, fields, urlencode(form).encode())
        return found

    def _path(self, url: Any) -> str:
        """An endpoint, which has to be of the same origin: secrets are sent to nobody else."""
        try:
            parts = urlsplit(url)
            origin = parse_address(url)
        except (ValueError, TypeError, AttributeError):
            raise Fault(f"{self.url}: what it says of signing in is none of RFC 8414") from None
        mine, below = self.address, self.address.path
        if (origin.scheme, origin.host, _port(origin)) != (mine.scheme, mine.host, _port(mine)):
            raise Fault(
                f"{self.url}: signing in there leads to {parts.scheme}://{parts.netloc}; use that address, or have the "
                "proxy know its own: identity: {public_url: ...}, or trusted_proxies"
            )
        if not parts.path.startswith(f"{below}/"):
            raise Fault(f"{self.url}: signing in there leads elsewhere: {parts.path}")
        return parts.path.removeprefix(below)

    def _said(self, answer: Answer) -> dict[str, Any]:
        try:
            found = json.loads(answer.body)
        except (ValueError, RecursionError):
            found = None
        if answer.status == 200 and isinstance(found, dict):
            return found
        code = _error(answer)
        words = found.get("error_description") if isinstance(found, dict) else None
        if answer.status in (429, 502, 503, 504):
            raise Unreachable(f"{self.url}: {words or 'cannot answer for now'}")
        if code:
            raise Denied(_WORDS.get(code) or f"{self.url}: {words or code}", code)
        raise Fault(f"{self.url}: answered {answer.status}, which is no answer of a proxy where people sign in")

    def _signed_in(self, found: dict[str, Any], endpoints: Endpoints, now: float) -> SignIn:
        try:
            lifetime = float(found["expires_in"])
            access, refresh = found["access_token"], found["refresh_token"]
        except (KeyError, TypeError, ValueError):
            raise Fault(f"{self.url}: what it answered is none of RFC 6749") from None
        if not all(isinstance(each, str) and each.isascii() and each.isprintable() for each in (access, refresh)):
            raise Fault(f"{self.url}: what it answered is none of RFC 6749")
        return SignIn(self.url, access, refresh, now + lifetime, lifetime, endpoints.token, endpoints.revocation)


_WORDS = {
    "access_denied": "somebody has refused to let this program in",
    "expired_token": "nobody has let this program in within the time: run llmproxy login again",
}


def address_of(url: str) -> Address:
    """
    @raise click.UsageError: it is none that people can sign in at.
    """
    try:
        address = parse_address(url.rstrip("/"))
    except ValueError as error:
        raise click.UsageError(f"--url: {error}") from None
    if address.socket:
        raise click.UsageError("--url: people sign in over http or https")
    if address.scheme == "http" and not address.local:
        warn(f"{address.text}: tokens are sent without encryption")
    return address


def _port(address: Address) -> int:
    return address.port or {"https": 443}.get(address.scheme, 80)


def _error(answer: Answer) -> str:
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        return ""
    code = found.get("error") if isinstance(found, dict) else None
    return code if answer.status != 200 and isinstance(code, str) else ""
