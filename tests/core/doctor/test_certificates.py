"""The verdict on certificates."""

from __future__ import annotations

from attrs import evolve

from llmproxy.core.doctor.certificates import DAY, CertificateFacts, judge_certificates

from .verdicts import VerdictTestCase

GOOD = CertificateFacts("tls:8443", "c.pem", "k.pem", names=("a.example",), expires_in=80 * DAY, key_mode=0o600)


class CertificateTests(VerdictTestCase):
    def test_table(self) -> None:
        holds = ("ok", "tls:8443: c.pem: expires in 80 d (for a.example)")
        self.judged(
            judge_certificates,
            [
                ((), [("skipped", "none")]),
                ((GOOD,), [holds]),
                ((evolve(GOOD, names=tuple("abcdef")),), [("ok", "(for a, b, c, d and more)")]),
                ((evolve(GOOD, error="cannot be read: No such file"),), [("fault", "cannot be read")]),
                ((evolve(GOOD, matches=False),), [("fault", "k.pem is the key of another certificate"), holds]),
                ((evolve(GOOD, chain=False, complete=False),), [("fault", "not in the order"), holds]),
                ((evolve(GOOD, complete=False),), [("note", "no certificate of its issuer"), holds]),
                ((evolve(GOOD, key_mode=0o644),), [("warning", "can read k.pem (mode 0644)"), holds]),
                ((evolve(GOOD, begins_in=3600.0),), [("fault", "holds in 1 h only")]),
                ((evolve(GOOD, expires_in=-2 * DAY),), [("fault", "expired 2 d ago")]),
                ((evolve(GOOD, expires_in=5 * DAY),), [("warning", "expires in 5 d")]),
                ((evolve(GOOD, expires_in=None),), [("ok", "can be read")]),
            ],
        )
