"""Answers of the token endpoint of a provider, and the claims that are asked for with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from ..core.people.assertions import AssertionFault
from ..core.people.claims import OVERAGE, claim

if TYPE_CHECKING:
    from .provider import Provider


@frozen
class Given:
    """An answer of RFC 6749 section 5.1; C{""} for what it does not have."""

    id_token: str = field(default="", repr=False)
    access_token: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Given:
        found = (answer.get(name) for name in ("id_token", "access_token", "refresh_token"))
        return cls(*(each if isinstance(each, str) else "" for each in found))


async def completed(provider: Provider, claims: dict[str, Any], access_token: str) -> dict[str, Any]:
    """
    Claims with those that the provider's userinfo endpoint has beside them, where some that are wanted are missing.

    @param claims: verified, of an ID token.
    @raise AssertionFault: what it says is of another person.
    @raise ProviderUnavailable: it does not answer.
    """
    metadata, names = await provider.metadata(), provider.config.claims
    wanted = (names.person, names.email, names.name, names.groups)
    has_all = all(claim(claims, name) is not None for name in wanted)
    if has_all or not metadata.userinfo_endpoint or not access_token or OVERAGE in claims:
        return claims
    # Many providers have no more in an ID token than who it is of (OpenID Connect Core section 5.4).
    more = await provider.fetcher.document(metadata.userinfo_endpoint, access_token, "userinfo")
    if not isinstance(more, dict) or more.get("sub") != claims.get("sub"):
        raise AssertionFault("what it says of the person is of another one")
    # A claim that is null, or an object of which a part is missing, is none that hides what is said here.
    missing = {name: claim(more, name) for name in wanted if claim(claims, name) is None}
    return {**more, **claims, **{name: value for name, value in missing.items() if value is not None}}
