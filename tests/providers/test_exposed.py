"""Tests for L{llmproxy.providers.exposed}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.providers.exposed import exposed


def members(value: bytes) -> list[str]:
    return value.decode("ascii").lower().split(", ")


class ExposedTests(SynchronousTestCase):
    def test_read_by_sdks(self) -> None:
        """What the SDKs of OpenAI and Anthropic read of an answer, and RFC 9110 and the drafts of rate limits name."""
        found = members(exposed([], []))
        for name in (
            "retry-after",
            "retry-after-ms",
            "x-should-retry",
            "request-id",
            "x-request-id",
            "ratelimit",
            "ratelimit-policy",
            "x-ratelimit-limit-requests",
            "x-ratelimit-remaining-tokens",
            "x-ratelimit-reset-tokens",
            "anthropic-ratelimit-input-tokens-remaining",
            "openai-processing-ms",
            "location",
        ):
            self.assertIn(name, found)
        self.assertNotIn("*", found)
        self.assertEqual(len(found), len(set(found)))

    def test_families(self) -> None:
        """Of a family whatever is there, by its name; and nothing that belongs to none."""
        names = [
            b"x-ratelimit-limit-project-tokens",
            b"x-ratelimit-limit-requests",
            b"ratelimit-remaining",
            b"anthropic-priority-input-tokens-limit",
            b"x-ms-region",
            b"set-cookie",
            b"x-ratelimited",
            b"server",
        ]
        more = members(exposed(names, []))[len(members(exposed([], []))) :]
        self.assertEqual(
            more,
            [
                "x-ratelimit-limit-project-tokens",
                "ratelimit-remaining",
                "anthropic-priority-input-tokens-limit",
                "x-ms-region",
            ],
        )

    def test_what_upstream_exposes(self) -> None:
        """A provider that lets pages read more goes on to do so, but for all at once."""
        self.assertEqual(members(exposed([], [b"x-cost", b"*", b"retry-after", b"x-cost"]))[-1], "x-cost")
