"""The verdict on certificates of our own: expiry, chain, key, and who can read the key."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from .findings import Finding, fault, note, ok, skipped, warning
from .words import READ_BY_OTHERS, mode_words, span_words

DAY = 86_400.0
EXPIRES_SOON = 21 * DAY
"""ACME renews a certificate of 90 days when 30 are left: below this, nothing has renewed it."""


_RENEW = "renew it; a running proxy takes it up by itself"


@frozen
class CertificateFacts:
    """
    @ivar use: what it is for, C{"tls:8443"} for example.
    @ivar path: of the certificate.
    @ivar key: the path of its key; C{""} for an authority, which has none here.
    @ivar error: why it cannot be used.
    @ivar names: the hosts that it is for.
    @ivar begins_in: seconds, negative for one that holds already.
    @ivar expires_in: seconds, negative for one that has expired.
    @ivar matches: whether the key is that of the certificate.
    @ivar chain: whether each certificate in the file is followed by that of its issuer.
    @ivar complete: whether the chain is longer than one, or needs no more: what is between it and the root is there.
    @ivar key_mode: permissions of the key's file.
    """

    use: str
    path: str
    key: str = ""
    error: str = ""
    names: tuple[str, ...] = ()
    begins_in: float = -1.0
    expires_in: float | None = None
    matches: bool = True
    chain: bool = True
    complete: bool = True
    key_mode: int | None = None


def judge_certificates(certificates: tuple[CertificateFacts, ...]) -> Iterator[Finding]:
    """What is wrong with each."""
    if not certificates:
        yield skipped("the configuration names none")
    for each in certificates:
        yield from _of_certificate(each)


def _of_certificate(facts: CertificateFacts) -> Iterator[Finding]:
    what = f"{facts.use}: {facts.path}"
    if facts.error:
        yield fault(f"{what}: {facts.error}", "give a file in PEM form that the proxy's user can read")
        return
    if not facts.matches:
        yield fault(f"{what}: {facts.key} is the key of another certificate", "name the pair that belongs together")
    if not facts.chain:
        mend = "put the certificate first, then the one that issued it, and so on"
        yield fault(f"{what}: its certificates are not in the order of their chain", mend)
    elif not facts.complete:
        says = f"{what}: holds no certificate of its issuer; clients that do not know that refuse it"
        yield note(says, "serve the whole chain (fullchain.pem), unless your clients trust it as it is")
    if facts.key_mode is not None and facts.key_mode & READ_BY_OTHERS:
        says = f"{what}: other users of the machine can read {facts.key} (mode {mode_words(facts.key_mode)})"
        yield warning(says, f"chmod 600 {facts.key}")
    yield _of_time(what, facts)


def _of_time(what: str, facts: CertificateFacts) -> Finding:
    if facts.begins_in > 0:
        says = f"{what}: holds in {span_words(facts.begins_in)} only"
        return fault(says, "see the clock of this machine, or wait")
    if facts.expires_in is None:
        return ok(f"{what}: can be read")
    if facts.expires_in <= 0:
        return fault(f"{what}: expired {span_words(-facts.expires_in)} ago", _RENEW)
    says = f"{what}: expires in {span_words(facts.expires_in)}{_for(facts.names)}"
    return warning(says, _RENEW) if facts.expires_in < EXPIRES_SOON else ok(says)


def _for(names: tuple[str, ...]) -> str:
    return f" (for {', '.join(names[:4])}{' and more' if len(names) > 4 else ''})" if names else ""
