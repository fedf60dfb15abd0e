"""The verdict on an identity provider: whether it says what sign-ins need, and keys, and what time it has."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from .findings import Finding, fault, ok, skipped, warning
from .words import span_words


@frozen
class ProviderFacts:
    """
    @ivar error: why it cannot be used, C{""} if it can.
    @ivar keys: those that can check its signatures.
    @ivar pkce: whether it knows C{S256}, as far as it says.
    @ivar clock: seconds that its clock is before ours; C{None} where it does not say.
    @ivar skew: seconds that are allowed.
    """

    name: str
    issuer: str
    error: str = ""
    keys: int = 0
    pkce: bool = True
    clock: float | None = None
    skew: float = 60.0


def judge_identity(providers: tuple[ProviderFacts, ...] | None) -> Iterator[Finding]:
    """What is wrong with each provider that the configuration names; C{None} where nobody outside is asked."""
    if providers is None:
        yield skipped("nothing outside is asked (--offline)")
        return
    if not providers:
        yield skipped("nobody signs in by an identity provider")
    for each in providers:
        yield from _of(each)


def _of(provider: ProviderFacts) -> Iterator[Finding]:
    name = provider.name
    if provider.error:
        yield fault(f"{name}: {provider.error}", "see issuer and ca_file of the provider, and HTTPS_PROXY")
        return
    if not provider.keys:
        says = f"{name}: none of its keys can check signatures (RSA of 2048 bits, EC or Ed25519)"
        yield fault(says, "have it sign with an asymmetric algorithm: RS256, say")
        return
    if not provider.pkce:
        yield warning(
            f"{name}: does not say that it knows PKCE with S256", "see that it does: codes are not taken else"
        )
    if provider.clock is not None and abs(provider.clock) > provider.skew:
        where = "ahead of" if provider.clock > 0 else "behind"
        says = f"{name}: its clock is {span_words(abs(provider.clock))} {where} ours"
        yield fault(says, "set the clocks (NTP): its tokens are refused")
    yield ok(f"{name}: {provider.issuer} answers; keys: {provider.keys}")
