"""Tests for L{llmproxy.config.captureschema}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import CaptureSettings, RedactRule
from llmproxy.config.captureschema import capture
from llmproxy.config.document import compose
from llmproxy.config.problems import Problems
from llmproxy.core.redaction.rules import MOST_RULES
from tests.tables import row

RIGHT: tuple[tuple[str, CaptureSettings | None], ...] = (
    ("on", CaptureSettings()),
    ("off", None),
    ("{}", CaptureSettings()),
    ("{enabled: off, request: 1KiB}", None),
    ("{sample: 0}", None),
    ("{request: 0, response: 4MiB}", CaptureSettings(0, 4 << 20)),
    (
        "{request: 64KiB, response: 256KiB, headers: [X-Team], sample: 0.1, opt_out: true,"
        " redact: ['$.user', email, {regex: 'P-\\d+'}]}",
        CaptureSettings(
            65536,
            262144,
            frozenset({"x-team"}),
            0.1,
            (RedactRule("path", "$.user"), RedactRule("pattern", "email"), RedactRule("regex", "P-\\d+")),
            True,
        ),
    ),
)

WRONG = (
    ("maybe", "expected true or false"),
    ("[email]", "expected true or false, got a list"),
    ("{request: 5MiB}", "at most 4MiB of a body can be captured"),
    ("{response: much}", "expected a size"),
    ("{sample: 1.5}", "expected a number from 0 to 1"),
    ("{headers: [Authorization]}", "carries a credential"),
    ("{headers: [x-goog-api-key]}", "carries a credential"),
    ("{headers: [Set-Cookie]}", "carries a credential"),
    ("{headers: ['a b']}", "expected the name of a header field"),
    ("{redact: ['$user']}", "is no path"),
    ("{redact: [mail]}", "is no pattern"),
    ("{redact: [{regex: '('}]}", "is no expression"),
    ("{redact: [{regex: 'a*'}]}", "finds nothing at all"),
    ("{redact: [{expression: a}]}", "expected {regex: ...}"),
    ("{redact: [[email]]}", "expected"),
    ("{redact: email}", "expected a list"),
    (f"{{redact: [{', '.join(['email'] * (MOST_RULES + 1))}]}}", "at most 64 rules"),
    ("{keep: all}", "unknown key 'keep'"),
)


class CaptureSchemaTests(SynchronousTestCase):
    def test_right(self) -> None:
        """What a file says, and what it leaves to the defaults."""
        for text, expected in RIGHT:
            with row(text):
                problems = Problems()
                item = compose(text, problems, {})
                assert item is not None
                self.assertEqual(capture(item).settings(), expected)
                self.assertEqual(problems.found, [])

    def test_wrong(self) -> None:
        """What cannot hold is said when it is configured, and not when a prompt is in a file."""
        for text, why in WRONG:
            with row(text):
                problems = Problems()
                item = compose(text, problems, {})
                assert item is not None
                capture(item)
                self.assertIn(why, "; ".join(map(str, problems.found)))
