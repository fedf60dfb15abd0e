"""Claims of a provider, read into what we know of a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from .person import LONGEST_GROUP, LONGEST_NAME, LONGEST_SUBJECT, MOST_GROUPS, Asserted

OVERAGE = "_claim_names"
"""Where Microsoft's providers say that somebody is in more groups than the token holds (OpenID Connect Core 5.6.2)."""


MOST_BYTES = 50_000
"""Of all names of groups together: what the shortest of the databases' columns takes."""


class UnusableClaims(ValueError):
    """What is asserted does not say who it is of, or leaves out what rights depend on."""


@frozen
class ClaimNames:
    """
    Where a provider has what we ask for. A name may be a path with dots, as in C{realm_access.roles} of Keycloak; one
    that is a claim itself (C{https://example.com/groups}) is that.
    """

    person: str = "sub"
    email: str = "email"
    name: str = "name"
    groups: str = "groups"


def claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, or by a path of names; C{None} if there is none."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found


def texts(value: Any) -> tuple[str, ...]:
    """The texts of a claim that is a text, or a list of them; what else is in it is left out."""
    if isinstance(value, str):
        return (value,) if value else ()
    if isinstance(value, bool) or value is None:
        return ()
    if isinstance(value, int):
        return (str(value),)
    if isinstance(value, (list, tuple)):
        return tuple(each for each in value if isinstance(each, str) and each)
    return ()


def asserted_of(
    claims: Mapping[str, Any], names: ClaimNames, *, provider: str, issuer: str, trust_email: bool = False
) -> Asserted:
    """
    @param claims: verified.
    @param issuer: whose they are, verified too.
    @param trust_email: an address that the provider says nothing more of counts as verified.
    @raise UnusableClaims: it cannot be said who it is, or in which groups they are.
    """
    subject = claim(claims, names.person)
    if isinstance(subject, int) and not isinstance(subject, bool):
        subject = str(subject)
    if not isinstance(subject, str) or not subject.strip():
        raise UnusableClaims(f"the provider says no {names.person!r}, so that nobody knows who it is")
    if len(subject) > LONGEST_SUBJECT or not subject.isprintable():
        raise UnusableClaims(f"{names.person!r} is longer than {LONGEST_SUBJECT} characters, or cannot be shown")
    return Asserted(
        provider,
        issuer,
        # A name of the provider's own beside the subject would let two claims be taken for each other.
        subject if names.person == "sub" else f"{names.person}:{subject}",
        _shown(claim(claims, names.email)),
        _is_verified(claims, trust_email),
        _shown(claim(claims, names.name)) or _shown(claim(claims, "preferred_username")),
        _groups(claims, names),
        dict(claims),
    )


def _is_verified(claims: Mapping[str, Any], trust_email: bool) -> bool:
    said = claims.get("email_verified")
    # Some write it as a text (AWS Cognito).
    return (said is True or said == "true") if said is not None else trust_email


def _shown(value: Any) -> str:
    text = value.strip() if isinstance(value, str) else ""
    return "".join(each if each.isprintable() else "?" for each in text[:LONGEST_NAME])


def _groups(claims: Mapping[str, Any], names: ClaimNames) -> tuple[str, ...]:
    value = claim(claims, names.groups)
    elsewhere = claims.get(OVERAGE)
    if value is None and (claims.get("hasgroups") or (isinstance(elsewhere, Mapping) and names.groups in elsewhere)):
        raise UnusableClaims(
            "the person is in more groups than the provider puts into a token: have it send only the groups that are "
            "assigned to the application, or app roles"
        )
    found = tuple(dict.fromkeys(_named(each) for each in _listed(value)))
    if len(found) > MOST_GROUPS:
        raise UnusableClaims(f"the provider names more than {MOST_GROUPS} groups: have it send fewer")
    if sum(len(each.encode()) for each in found) > MOST_BYTES:
        raise UnusableClaims(f"the names of the person's groups are longer than {MOST_BYTES} bytes: have it send fewer")
    return tuple(each for each in found if each)


def _listed(value: Any) -> tuple[Any, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, (list, tuple)) else ()


def _named(value: Any) -> str:
    if not isinstance(value, str) or not value or len(value) > LONGEST_GROUP or not value.isprintable():
        return ""
    return value
