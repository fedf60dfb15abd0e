"""The authorization code flow with PKCE (RFC 6749, RFC 7636): what a browser is sent with, and comes back with."""

from __future__ import annotations

import hmac
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

from attrs import field, fields, frozen

SIGN_IN_SECONDS = 600.0
"""How long somebody may take at the provider."""

LONGEST_NEXT = 1500
"""Characters of where they go on: it is kept in a cookie."""

_LONGEST_CODE = 8192


class SignInFailed(Exception):
    """
    Why a sign-in came to nothing, in words for who tried.

    @ivar again: whether another try may help.
    """

    def __init__(self, words: str, again: bool = True) -> None:
        super().__init__(words)
        self.again = again


@frozen
class Attempt:
    """
    A sign-in that has begun; a browser keeps it, sealed.

    @ivar provider: its name.
    @ivar next: where they go on.
    @ivar purpose: what it is for; one that was begun for something else is none.
    @ivar until: seconds since the epoch.
    """

    provider: str
    redirect_uri: str
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    next: str = ""
    purpose: str = ""
    until: float = 0.0

    def values(self) -> list[Any]:
        """As values of JSON."""
        return [getattr(self, name) for name in _FIELDS]

    @classmethod
    def of(cls, values: Any) -> Attempt | None:
        """The reverse; C{None} where they are none."""
        if not isinstance(values, list) or len(values) != len(_FIELDS):
            return None
        return cls(*values)


_FIELDS = tuple(each.name for each in fields(Attempt))


def begun(
    random: Callable[[int], bytes],
    now: float,
    *,
    provider: str,
    redirect_uri: str,
    next: str,
    purpose: str,
) -> Attempt:
    """
    @param random: gives unpredictable bytes.
    """
    state, nonce, verifier = (urlsafe_b64encode(random(32)).rstrip(b"=").decode() for _ in range(3))
    going = next if len(next) <= LONGEST_NEXT else ""
    return Attempt(provider, redirect_uri, state, nonce, verifier, going, purpose, now + SIGN_IN_SECONDS)


def authorization_url(
    endpoint: str, client_id: str, scopes: Sequence[str], attempt: Attempt, more: Mapping[str, str] | None = None
) -> str:
    """
    RFC 6749 section 4.1.1, RFC 7636 section 4.3 and OpenID Connect Core section 3.1.2.1.

    @param more: parameters besides, that this provider wants; none of them is in the place of these.
    """
    challenge = urlsafe_b64encode(sha256(attempt.verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        **(more or {}),
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": attempt.redirect_uri,
        "scope": " ".join(scopes),
        "state": attempt.state,
        "nonce": attempt.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked, quote_via=quote)}"


def code_of(
    attempt: Attempt | None,
    parameters: Mapping[str, str],
    *,
    provider: str,
    redirect_uri: str,
    purpose: str,
    issuer: str,
    names_issuer: bool,
    now: float,
) -> str:
    """
    The code with which a browser comes back.

    @param names_issuer: the provider says in C{iss} who it is, RFC 9207.
    @raise SignInFailed: it is not of this attempt (somebody else's, another provider's, an old one), or was refused.
    """
    if attempt is None:
        raise SignInFailed("This sign-in was not begun in this browser, or its cookies are blocked. Sign in again.")
    mine = (attempt.provider, attempt.redirect_uri, attempt.purpose) == (provider, redirect_uri, purpose)
    state = parameters.get("state", "")
    if not mine or not hmac.compare_digest(state.encode("utf-8", "replace"), attempt.state.encode()):
        raise SignInFailed("This answer belongs to another sign-in. Sign in again.")
    if now >= attempt.until:
        raise SignInFailed(f"This took longer than {SIGN_IN_SECONDS / 60:.0f} minutes. Sign in again.")
    named = parameters.get("iss")
    if (named is not None or names_issuer) and named != issuer:
        raise SignInFailed("This answer is not of the provider that was asked. Sign in again.")
    if "error" in parameters:
        raise SignInFailed(_refusal(parameters))
    code = parameters.get("code", "")
    if not code or len(code) > _LONGEST_CODE:
        raise SignInFailed("The identity provider has sent no code. Sign in again.")
    return code


def token_request(
    attempt: Attempt, code: str, client_id: str, secret: str | None, methods: Sequence[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """
    The form, and header fields beside it, that a code is given in for (RFC 6749 sections 4.1.3 and 2.3.1).

    @param methods: those by which the provider lets programs name themselves.
    """
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": attempt.redirect_uri,
        "code_verifier": attempt.verifier,
    }
    return _named(form, client_id, secret, methods)


def refresh_request(
    refresh_token: str, client_id: str, secret: str | None, methods: Sequence[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Likewise, with which a provider is asked again about a sign-in (RFC 6749 section 6)."""
    return _named({"grant_type": "refresh_token", "refresh_token": refresh_token}, client_id, secret, methods)


def _named(
    form: dict[str, str], client_id: str, secret: str | None, methods: Sequence[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """A form, with who we are."""
    if secret is None:
        return {**form, "client_id": client_id}, {}
    if "client_secret_basic" in methods or "client_secret_post" not in methods:
        pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
        return form, {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
    return {**form, "client_id": client_id, "client_secret": secret}, {}


def logout_url(endpoint: str, client_id: str, id_token: str, back: str, state: str = "") -> str:
    """Where a browser is signed out of the provider too: OpenID Connect RP-Initiated Logout section 2."""
    asked = {"id_token_hint": id_token, "client_id": client_id, "post_logout_redirect_uri": back, "state": state}
    given = {name: value for name, value in asked.items() if value}
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(given, quote_via=quote)}"


_REFUSALS = {
    "access_denied": "The identity provider did not let you in, or you have cancelled.",
    "login_required": "The identity provider wants you to sign in there.",
    "temporarily_unavailable": "The identity provider cannot answer now. Try again later.",
    "server_error": "The identity provider failed. Try again later.",
}


def _refusal(parameters: Mapping[str, str]) -> str:
    """Its C{error}; what else stands there anybody can have written."""
    code = parameters["error"]
    known = _REFUSALS.get(code)
    if known is not None:
        return known
    shown = "".join(each for each in code[:40] if each.isascii() and (each.isalnum() or each in "_-"))
    return f"The identity provider refused the sign-in ({shown or 'error'}). Ask those who run this proxy."
