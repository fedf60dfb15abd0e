"""Tests of L{llmproxy.core.limits.refusals}."""

from __future__ import annotations

import re

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits.refusals import amount, error_of, rate_limit_fields
from llmproxy.core.limits.values import PICO, Rule
from llmproxy.core.limits.verdicts import Left, Refusal
from tests.tables import row

NOW = 1_700_000_000.0
REQUESTS = Rule("requests", "token:t-1", 100, "rpm_limit of the token 'ci'", "1m")
TOKENS = Rule("tokens", "project:p", 5000, "tpm_limit of the project 'one'", "1m")
PARALLEL = Rule("parallel", "token:t-1", 2, "max_parallel_requests of the token 'ci'")
BUDGET = Rule("money", "token:t-1", 50 * PICO, "max_budget of the token 'ci'", "1mo")
TOTAL = evolve(BUDGET, window="total")

SAID = {
    "a rate": (
        Refusal(REQUESTS, 0, 11.2),
        ("rate_limit_exceeded", b"12", b"11200", b"true"),
        "rpm_limit of the token 'ci' is 100 requests a minute, of which 0 is left; "
        "there is room for this request in 12 s",
    ),
    "a rate that takes longer than SDKs wait": (
        Refusal(TOKENS, 7, 60.5),
        ("rate_limit_exceeded", b"61", b"60500", b"false"),
        "tpm_limit of the project 'one' is 5000 tokens a minute, of which 7 is left; "
        "there is room for this request in 61 s",
    ),
    "more than there can be": (
        Refusal(TOKENS, 4000, None),
        ("rate_limit_exceeded", None, None, b"false"),
        "tpm_limit of the project 'one' is 5000 tokens a minute, of which 4000 is left; this request can use more than "
        "that: waiting does not help, a smaller one does (its max_tokens counts)",
    ),
    "a rate of none": (
        Refusal(evolve(REQUESTS, limit=0), 0, None),
        ("rate_limit_exceeded", None, None, b"false"),
        "rpm_limit of the token 'ci' is 0 requests a minute, of which 0 is left; "
        "it allows none: neither waiting nor a smaller request helps, a higher limit does",
    ),
    "a budget of none that has a window": (
        Refusal(evolve(BUDGET, limit=0), 0, None),
        ("budget_exceeded", None, None, b"false"),
        "max_budget of the token 'ci' is 0.00 USD in 1mo, of which 0.00 USD is left; "
        "it allows none: neither waiting nor a smaller request helps, a higher limit does",
    ),
    "a used-up budget that has a window, and more than there can be": (
        Refusal(BUDGET, 0, None),
        ("budget_exceeded", None, None, b"false"),
        "max_budget of the token 'ci' is 50.00 USD in 1mo, of which 0.00 USD is left; this request can use more than "
        "that: waiting does not help, a smaller one does (its max_tokens counts)",
    ),
    "none at once, whatever ends": (
        Refusal(evolve(PARALLEL, limit=0), 0, 1.0),
        ("rate_limit_exceeded", None, None, b"false"),
        "max_parallel_requests of the token 'ci' is 0 requests at once, of which 0 is left; "
        "it allows none: neither waiting nor a smaller request helps, a higher limit does",
    ),
    "requests at once": (
        Refusal(PARALLEL, 0, 1.0),
        ("rate_limit_exceeded", b"1", b"1000", b"true"),
        "max_parallel_requests of the token 'ci' is 2 requests at once, of which 0 is left; "
        "try again when one of those that run has ended",
    ),
    "a budget": (
        Refusal(BUDGET, PICO // 2, 30.0),
        ("budget_exceeded", b"30", b"30000", b"false"),
        "max_budget of the token 'ci' is 50.00 USD in 1mo, of which 0.50 USD is left; "
        "it begins anew at 2023-11-14T22:13:50+00:00",
    ),
    "a budget that does not begin anew": (
        Refusal(TOTAL, 0, None),
        ("budget_exceeded", None, None, b"false"),
        "max_budget of the token 'ci' is 50.00 USD in all, of which 0.00 USD is left; "
        "it does not begin anew: waiting does not help, a higher budget does",
    ),
}


class RefusalTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Which limit, what is left, when it resets; and what SDKs read."""
        for name, (refusal, expected, sentence) in SAID.items():
            with row(name):
                error = error_of(refusal, NOW)
                fields = {key.lower(): value for key, value in error.fields}
                said = (error.code, *map(fields.get, (b"retry-after", b"retry-after-ms", b"x-should-retry")))
                self.assertEqual((error.status, said, error.description), (429, expected, sentence))

    def test_unavailable(self) -> None:
        """A limit that cannot be looked up is no limit that was reached."""
        error = error_of(Refusal(REQUESTS, 0, 1.0, unavailable=True), NOW)
        self.assertEqual((error.status, error.code), (503, "service_unavailable"))

    def test_fields(self) -> None:
        """Policies and what is left of them, as structured fields, without ids."""
        fields = dict(rate_limit_fields([Left(REQUESTS, 60, 40, 12.1), Left(BUDGET, 0, 50 * PICO, None)]))
        self.assertEqual(
            fields,
            {
                b"RateLimit-Policy": b'"requests-token";q=100;w=60, "money-token";q=50000000;qu="micro-usd"',
                b"RateLimit": b'"requests-token";r=40;t=13, "money-token";r=50000000',
            },
        )
        self.assertEqual(rate_limit_fields([]), ())

    def test_names_differ(self) -> None:
        """Two limits of a kind have two names, and no scope with a name in it is shown."""
        rules = [evolve(REQUESTS, scope=f"tag:p:customer={each}|api=x") for each in ("acme", "other")]
        values = [value for _, value in rate_limit_fields([Left(rule, 0, 1, None) for rule in rules])]
        self.assertEqual(
            [re.findall(rb'"([^"]*)"', value) for value in values], [[b"requests-tag", b"requests-tag-2"]] * 2
        )

    def test_amounts(self) -> None:
        """Money is shown as people write it, however little it is."""
        rows = {0: "0.00 USD", PICO: "1.00 USD", PICO // 100: "0.01 USD", 1234 * PICO // 10**6: "0.0012 USD"}
        for value, shown in rows.items():
            self.assertEqual(amount("money", value), shown, value)
