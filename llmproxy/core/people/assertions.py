"""Assertions of a provider: whether the claims of a token whose signature is good may be believed, now and here."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from math import inf, isfinite
from typing import Any

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
"""OpenID Connect Back-Channel Logout 1.0 section 2.4."""

LOGOUT_AGE = 300.0
"""Seconds for which a logout token is taken that does not say when it ends."""

_NO_ACCESS = ("id", "refresh", "offline", "logout")
"""What Keycloak says of tokens that are none for access, in the claim C{typ}."""

_ACCESS_TYPES = ("", "jwt", "at+jwt")
"""C{typ} of the header; RFC 9068 section 2.1 asks for the last one, which few providers write."""


class AssertionFault(ValueError):
    """Why a token of a provider is not believed, in words that its owner may read."""


def check_id_token(
    claims: Mapping[str, Any], *, issuer: str, client_id: str, nonce: str, now: float, skew: float
) -> None:
    """
    OpenID Connect Core section 3.1.3.7, but for the signature.

    @param nonce: what we have sent.
    @raise AssertionFault: it is not for us, not for this sign-in, or not good now.
    """
    _check_id_token(claims, issuer, client_id)
    said = claims.get("nonce")
    if not nonce or not isinstance(said, str) or not hmac.compare_digest(said.encode(), nonce.encode()):
        raise AssertionFault("the ID token is of another sign-in")
    check_times(claims, now, skew)


def _check_id_token(claims: Mapping[str, Any], issuer: str, client_id: str) -> None:
    _check_issuer(claims, issuer)
    audiences = _audiences(claims)
    if client_id not in audiences:
        raise AssertionFault("the ID token is for another program")
    party = claims.get("azp")
    if party != client_id and (party is not None or len(audiences) > 1):
        raise AssertionFault("the ID token was issued to another program")
    if "iat" not in claims:
        raise AssertionFault("the ID token does not say when it was issued")
    if not isinstance(claims.get("sub"), str):
        raise AssertionFault("the ID token does not say who it is of")


def check_refreshed_id_token(
    claims: Mapping[str, Any], *, issuer: str, client_id: str, now: float, skew: float
) -> None:
    """
    Of an ID token that came with a refresh: OpenID Connect Core section 12.2. Whose it is the caller compares; a
    C{nonce} that it may still have is that of the sign-in, which nobody has kept.

    @raise AssertionFault: likewise.
    """
    _check_id_token(claims, issuer, client_id)
    check_times(claims, now, skew)


def check_access_token(
    header: Mapping[str, Any],
    claims: Mapping[str, Any],
    *,
    issuer: str,
    audiences: Collection[str],
    clients: Collection[str],
    now: float,
    skew: float,
) -> None:
    """
    RFC 9068 section 4, but for the signature. An ID token, which names a program as its audience, is none.

    @param audiences: one of these it is for.
    @param clients: the programs that may have got it; empty is any.
    @raise AssertionFault: it is for others, from others, or not good now.
    """
    kind = header.get("typ")
    name = kind.lower().removeprefix("application/") if isinstance(kind, str) else "" if kind is None else "?"
    inner = claims.get("typ")
    is_other = isinstance(inner, str) and inner.lower() in _NO_ACCESS
    if name not in _ACCESS_TYPES or is_other or "nonce" in claims or "at_hash" in claims or "events" in claims:
        raise AssertionFault("it is no access token")
    _check_issuer(claims, issuer)
    if not set(audiences) & set(_audiences(claims)):
        raise AssertionFault("the access token is for another audience")
    if clients and not set(clients) & set(_parties(claims)):
        raise AssertionFault("the access token was issued to a program that is not let in")
    check_times(claims, now, skew)


def check_logout_token(
    claims: Mapping[str, Any], *, issuer: str, client_id: str, now: float, skew: float
) -> tuple[str, str]:
    """
    OpenID Connect Back-Channel Logout section 2.6, but for the signature.

    @return: the subject and the session that have ended; one of them may be C{""}.
    @raise AssertionFault: likewise.
    """
    _check_issuer(claims, issuer)
    if client_id not in _audiences(claims):
        raise AssertionFault("the logout token is for another program")
    events = claims.get("events")
    if not isinstance(events, Mapping) or not isinstance(events.get(LOGOUT_EVENT), Mapping) or "nonce" in claims:
        raise AssertionFault("it is no logout token")
    issued = _moment(claims, "iat")
    if issued is None:
        raise AssertionFault("the logout token does not say when it was issued")
    if "exp" not in claims:
        claims = {**claims, "exp": issued + LOGOUT_AGE}
    check_times(claims, now, skew)
    subject, session = claims.get("sub", ""), claims.get("sid", "")
    if not isinstance(subject, str) or not isinstance(session, str) or not (subject or session):
        raise AssertionFault("the logout token says neither who nor which session")
    return subject, session


def check_times(claims: Mapping[str, Any], now: float, skew: float) -> None:
    """
    @param skew: seconds that the provider's clock may differ from ours.
    @raise AssertionFault: it is over, or has not begun, or does not say.
    """
    ends = _moment(claims, "exp")
    if ends is None:
        raise AssertionFault("the token does not say when it expires")
    if now >= ends + skew:
        raise AssertionFault("the token has expired")
    for name in ("nbf", "iat"):
        begins = _moment(claims, name)
        if begins is not None and begins > now + skew:
            raise AssertionFault("the token is not good yet: the clocks of this machine and of the provider differ")


def issued_at(claims: Mapping[str, Any]) -> float | None:
    """When something was said; C{None} where that is not said."""
    return _moment(claims, "iat")


def expires_at(claims: Mapping[str, Any]) -> float:
    """When it ends, of claims that were checked."""
    found = _moment(claims, "exp")
    return 0.0 if found is None else found


def _check_issuer(claims: Mapping[str, Any], issuer: str) -> None:
    if claims.get("iss") != issuer:
        raise AssertionFault("the token is of another issuer")


def _audiences(claims: Mapping[str, Any]) -> tuple[str, ...]:
    value = claims.get("aud")
    if isinstance(value, str):
        return (value,)
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def _parties(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """Who got it: RFC 9068, Keycloak and Entra, Okta, Entra of old."""
    found = (claims.get(name) for name in ("client_id", "azp", "cid", "appid"))
    return tuple(each for each in found if isinstance(each, str))


def _moment(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    try:
        moment = inf if isinstance(value, bool) or not isinstance(value, int | float) else float(value)
    except OverflowError:
        # JSON has integers of any length.
        moment = inf
    if not isfinite(moment):
        raise AssertionFault(f"{name} of the token is no moment")
    return moment
