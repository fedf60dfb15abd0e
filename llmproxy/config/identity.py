"""Identity providers and the rules of people, as a configuration has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, field, frozen

from ..message import Role
from ..usagelimits import UNLIMITED, UNSET, UsageLimits
from .problems import unknown

if TYPE_CHECKING:
    from ..core.people.claims import ClaimNames
    from ..core.people.grants import GrantRule

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures of RFC 7518 and 8037 that are made with a private key, which only the provider has."""

SCOPES: Final = ("openid", "profile", "email")
CHECK_EVERY: Final = 900.0
CHECK_GRACE: Final = 3600.0
"""Seconds, both."""

SKEW: Final = 60.0
"""Seconds, as most libraries have it."""


def _tuple(values: Any) -> Any:
    # Anything else is wrong, and is found so by the readers of a file.
    return tuple(values) if isinstance(values, (list, tuple)) else values


@frozen
class ClaimsConfig:
    """The claims that we ask for, by name or by a path of names; see L{llmproxy.core.people.claims.ClaimNames}."""

    person: str = "sub"
    email: str = "email"
    name: str = "name"
    groups: str = "groups"

    def names(self) -> ClaimNames:
        from ..core.people.claims import ClaimNames

        return ClaimNames(self.person, self.email, self.name, self.groups)


@frozen
class ProviderConfig:
    """
    An OpenID provider.

    @ivar name: what the configuration, addresses and the audit log call it.
    @ivar label: what the button of the sign-in page calls it; C{""} is its name.
    @ivar issuer: exactly as the provider says it in C{iss}.
    @ivar client_secret: C{None} for a public client, which PKCE alone protects.
    @ivar parameters: what a browser is sent to the provider with besides, such as C{access_type} of Google.
    @ivar audiences: access tokens of the provider that are for one of these are taken in the place of tokens; empty is
        none of them.
    @ivar clients: the programs whose access tokens are taken, by C{azp} or C{client_id}; empty is any.
    @ivar algorithms: of signatures that are taken.
    @ivar clock_skew: seconds that its clock may differ from ours.
    @ivar trust_email: an address that it does not call verified counts as verified.
    @ivar ca_file: PEM file of the authorities to trust instead of the system's.
    @ivar check_every: seconds after which a device that is refreshed waits until the provider has said again that its
        person is still who they were, where it gave us a refresh token to ask with; 0 is never.
    @ivar check_grace: seconds more for which a device is refreshed while the provider does not answer.
    """

    name: str
    issuer: str = ""
    client_id: str = ""
    client_secret: str | None = field(default=None, repr=False)
    label: str = ""
    scopes: tuple[str, ...] = field(default=SCOPES, converter=_tuple)
    parameters: Mapping[str, str] = field(factory=dict)
    audiences: tuple[str, ...] = field(default=(), converter=_tuple)
    clients: tuple[str, ...] = field(default=(), converter=_tuple)
    claims: ClaimsConfig = ClaimsConfig()
    algorithms: tuple[str, ...] = field(default=ALGORITHMS, converter=_tuple)
    clock_skew: float = SKEW
    trust_email: bool = False
    ca_file: str | None = None
    check_every: float = CHECK_EVERY
    check_grace: float = CHECK_GRACE

    def missing(self) -> Iterator[str]:
        """What it cannot do without, as sentences."""
        for name, value in (("name", self.name), ("issuer", self.issuer), ("client_id", self.client_id)):
            if not value:
                yield f"expected {name}"


@frozen
class MatchConfig:
    """Whom a rule is for; see L{llmproxy.core.people.grants.Match}."""

    provider: tuple[str, ...] = field(default=(), converter=_tuple)
    groups: tuple[str, ...] = field(default=(), converter=_tuple)
    email: tuple[str, ...] = field(default=(), converter=_tuple)
    claims: Mapping[str, tuple[str, ...]] = field(factory=dict)


@frozen
class GrantConfig:
    """
    A rule; see L{llmproxy.core.people.grants.GrantRule}.

    @ivar models: the same as C{models} of C{limits}.
    """

    match: MatchConfig = MatchConfig()
    project: str = ""
    role: Role | None = None
    models: tuple[str, ...] | None = None
    limits: UsageLimits = UNLIMITED
    groups: tuple[str, ...] = field(default=(), converter=_tuple)
    deny: bool = False

    def contradictions(self) -> Iterator[str]:
        """What cannot hold, as sentences."""
        says = (self.project, self.role, self.models, self.groups, self.limits != UNLIMITED)
        if self.deny and any(says):
            yield "deny: it refuses people, so that nothing else that the rule says would hold"
        elif not self.deny and not any(says):
            yield "it gives nothing: expected project, role, models, limits, groups or deny"
        if self.models is not None and self.limits.models is not UNSET:
            yield "models: they stand in limits too; take one of the two away"

    def words(self) -> str:
        """Who gets what."""
        match = self.match
        whom = [
            f"{name} {' or '.join(patterns)}"
            for name, patterns in (
                ("provider", match.provider),
                ("groups", match.groups),
                ("email", match.email),
                *match.claims.items(),
            )
            if patterns
        ]
        gets = [f"project {self.project}"] if self.project else []
        gets += [f"role {self.role}"] if self.role else []
        gets += [f"models {', '.join(self.models)}"] if self.models else []
        gets += ["limits"] if self.limits != UNLIMITED else []
        gets += [f"groups {', '.join(self.groups)}"] if self.groups else []
        return f"{' and '.join(whom) or 'everybody'}: {'refused' if self.deny else ', '.join(gets)}"

    def rule(self) -> GrantRule:
        from ..core.people.grants import GrantRule, Match

        match = Match(self.match.provider, self.match.groups, self.match.email, dict(self.match.claims))
        limits = self.limits if self.models is None else evolve(self.limits, models=tuple(self.models))
        return GrantRule(match, self.project, self.role, limits, self.groups, self.deny)


@frozen
class IdentityConfig:
    """
    @ivar public_url: where browsers reach us, where C{Host} does not say it; C{""} is what that says.
    """

    providers: tuple[ProviderConfig, ...] = field(default=(), converter=_tuple)
    rules: tuple[GrantConfig, ...] = field(default=(), converter=_tuple)
    public_url: str = ""

    def conflicts(self) -> Iterator[tuple[str, str]]:
        """What does not go together: the key, and a sentence."""
        if not self.providers:
            yield "providers", "expected providers: a list of {name: ..., issuer: https://..., client_id: ...}"
        elif not self.rules:
            yield "rules", "expected rules: without one that matches nobody is let in"
        seen: set[tuple[str, str]] = set()
        for number, each in enumerate(self.providers):
            for what, value in (("name", each.name), ("issuer", each.issuer)):
                if value and (what, value) in seen:
                    yield f"providers[{number}].{what}", f"another provider has the {what} {value!r}"
                seen.add((what, value))
        names = [each.name for each in self.providers]
        for number, rule in enumerate(self.rules):
            for name in rule.match.provider:
                if name not in names:
                    yield f"rules[{number}].match.provider", unknown(name, names, "provider")

    def words(self) -> Iterator[str]:
        """What holds, in lines."""
        for each in self.providers:
            taken = f"access tokens for {', '.join(each.audiences)} are taken" if each.audiences else "no access tokens"
            yield f"identity: {each.name} ({each.issuer}), {taken}"
        for number, rule in enumerate(self.rules, 1):
            yield f"  rule {number}: {rule.words()}"

    def secrets(self) -> list[str]:
        """Those of ours at the providers."""
        return [each.client_secret for each in self.providers if each.client_secret]

    def grant_rules(self) -> tuple[GrantRule, ...]:
        """The rules, ready to be asked."""
        return tuple(each.rule() for each in self.rules)
