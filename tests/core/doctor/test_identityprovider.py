"""The verdict on an identity provider."""

from __future__ import annotations

from attrs import evolve

from llmproxy.core.doctor.identityprovider import ProviderFacts, judge_identity

from .verdicts import VerdictTestCase

GOOD = ProviderFacts("corp", "https://id.example.com", keys=2, clock=1.5)


class IdentityTests(VerdictTestCase):
    def test_table(self) -> None:
        answers = ("ok", "corp: https://id.example.com answers; keys: 2")
        self.judged(
            judge_identity,
            [
                (None, [("skipped", "--offline")]),
                ((), [("skipped", "nobody signs in")]),
                ((GOOD,), [answers]),
                ((evolve(GOOD, clock=None),), [answers]),
                ((evolve(GOOD, error="it answers 404"),), [("fault", "corp: it answers 404")]),
                ((evolve(GOOD, keys=0),), [("fault", "none of its keys")]),
                ((evolve(GOOD, pkce=False),), [("warning", "PKCE"), answers]),
                ((evolve(GOOD, clock=-120.0),), [("fault", "behind ours"), answers]),
                ((evolve(GOOD, clock=120.0),), [("fault", "ahead of ours"), answers]),
                ((evolve(GOOD, clock=120.0, skew=180.0), evolve(GOOD, error="x")), [answers, ("fault", "x")]),
            ],
        )
