"""What is taken out of contents."""

from __future__ import annotations

import json
import time
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.masking import MASKED, Masking
from llmproxy.core.redaction.patterns import MARK, MAY_FIND
from llmproxy.core.redaction.redactor import Redactor
from llmproxy.core.redaction.rules import TooSlow, rule_of
from tests.tables import row

from .test_patterns import FOUND

_OURS = "our-provider-key-0123"


def redactor(*rules: Any) -> Redactor:
    return Redactor([rule_of(rule) for rule in rules], Masking([_OURS]), time.monotonic)


class SecretTests(SynchronousTestCase):
    def test_always(self) -> None:
        """Secrets are masked without any rule: by their look, by their name, and those of this process."""
        self.assertEqual(
            redactor().redacted(
                {
                    "content": f"use sk-abcdefghijklmnop or {_OURS}, Bearer abc.def",
                    "tools": [{"headers": {"Authorization": "x"}, "api_key": ["a", {"b": "c"}], "password": ""}],
                    "sk-abcdefghijklmnop": 1,
                    "max_tokens": 5,
                    "token": None,
                }
            ),
            {
                "content": f"use {MASKED} or {MASKED}, Bearer {MASKED}",
                "tools": [{"headers": {"Authorization": MASKED}, "api_key": [MASKED, {"b": "c"}], "password": ""}],
                MASKED: 1,
                "max_tokens": 5,
                "token": None,
            },
        )

    def test_text(self) -> None:
        """A body that is a text, or a field, is read like any other."""
        self.assertEqual(redactor().redacted("sk-abcdefghijklmnop"), MASKED)
        self.assertEqual(redactor("email").text("a jo@example.com"), f"a {MARK}")


class RuleTests(SynchronousTestCase):
    def test_rules(self) -> None:
        """Paths, patterns and expressions together; names of members and numbers too."""
        found = redactor("$.user", "$..id", "email", "card", {"regex": r"P-\d+"}).redacted(
            {
                "user": "jo",
                "messages": [{"content": "jo@example.com has P-12", "id": {"x": 1}}],
                "jo@example.com": 4111111111111111,
                "n": 4111111111111112,
                "f": 1.5,
                "b": True,
            }
        )
        self.assertEqual(
            found,
            {
                "user": MARK,
                "messages": [{"content": f"{MARK} has {MARK}", "id": MARK}],
                MARK: MARK,
                "n": 4111111111111112,
                "f": 1.5,
                "b": True,
            },
        )

    def test_long(self) -> None:
        """Nothing is missed in a long text, wherever it stands."""
        text = "some words and more, " * 3000
        for at in range(0, len(text), 4001):
            with row(at):
                shown = redactor("email").redacted(text[:at] + " jo@example.com sk-abcdefghijklmnop " + text[at:])
                self.assertIn(f" {MARK} {MASKED} ", shown)
                self.assertEqual(len(shown), len(text) + len(f" {MARK} {MASKED} "))

    def test_data(self) -> None:
        """Data in JSON is left out, and said so."""
        self.assertEqual(
            redactor().redacted({"b64_json": "QUJD" * 1000}), {"b64_json": "[base64, 3000 bytes, left out]"}
        )

    def test_too_slow(self) -> None:
        """An expression without end shows nothing, and ends."""
        begun = time.monotonic()
        slow = redactor({"regex": r"(a|aa)+$"})
        self.assertRaises(TooSlow, slow.redacted, {"content": "a" * 1000 + "!"})
        self.assertLess(time.monotonic() - begun, 5)

    def test_deep(self) -> None:
        """What is nested too deeply is not shown either."""
        value: Any = "x"
        for _ in range(100_000):
            value = [value]
        self.assertRaises(RecursionError, redactor("$..a").redacted, value)
        self.assertRaises(RecursionError, redactor().redacted, value)
        while isinstance(value, list) and value:
            value = value.pop()


class BoundTests(SynchronousTestCase):
    def test_numbers(self) -> None:
        """Lists of numbers cost nothing, and are looked through where they may be cards."""
        vector = [0.25] * 1_000_000
        begun = time.monotonic()
        self.assertIs(redactor("card").redacted({"a": vector})["a"], vector)
        self.assertLess(time.monotonic() - begun, 2)
        self.assertEqual(redactor("card").redacted([4111111111111111] * 20), [MARK] * 20)

    def test_all(self) -> None:
        """A content that was made to take long shows nothing."""
        self.assertRaises(TooSlow, redactor("card", "phone").redacted, "2 " * 4_000_000)

    def test_cut(self) -> None:
        """Of a text that was cut, the beginning of a secret of this process is no part."""
        for text, shown in (
            (f"it is {_OURS[:10]}", f"it is {MASKED}"),
            (f"it is {_OURS}", f"it is {MASKED}"),
            (f"it is {_OURS[:3]}", f"it is {_OURS[:3]}"),
        ):
            with row(text):
                self.assertEqual(redactor().redacted({"a": text}, is_cut=True), {"a": shown})
        self.assertEqual(redactor().redacted(_OURS[:10]), _OURS[:10])


class WithinTests(SynchronousTestCase):
    """JSON in a text, as the arguments of calls are."""

    def test_names(self) -> None:
        """What is named for a secret in there is masked, and nothing else changes."""
        found = redactor().redacted({"arguments": '{"password":"hunter2","city":"Bonn"}', "other": '{"city": "Bonn"}'})
        self.assertEqual(found, {"arguments": f'{{"password":"{MASKED}","city":"Bonn"}}', "other": '{"city": "Bonn"}'})

    def test_escapes(self) -> None:
        """However a letter is written in there, it is read."""
        found = redactor("email").redacted({"arguments": '{"to":"jo\\u0040example.com"}'})
        self.assertEqual(found, {"arguments": f'{{"to":"{MARK}"}}'})

    def test_escaped_before(self) -> None:
        """What stands behind an escape is found: its letter is no part of a word."""
        for found in ("sk-abcdefghijklmnop", "+49 171 1234567", "10.0.0.1", "123-45-6789"):
            for escape in ("\\n", "\\t", "\\\\n", "\\u000a"):
                with row(found, escape):
                    shown = redactor("phone", "ip", "ssn").redacted({"a": f"{{line{escape}{found}"})
                    self.assertNotIn(found, shown["a"])

    def test_no_json(self) -> None:
        """What only begins so is a text."""
        self.assertEqual(redactor().redacted('{"password": hunter'), '{"password": hunter')


class CleanTests(SynchronousTestCase):
    def test_clean(self) -> None:
        """What is found clean as a whole has nothing that would be taken out text by text, however it is written."""
        secret = 'quoted"and\\slashed/key'
        ours = Redactor([], Masking([secret, _OURS]), time.monotonic)
        for value, is_clean in (
            ({"a": "Hello, how are you? k-means, 50% off"}, True),
            ({"messages": [{"role": "user", "content": 'line\none "two"'}], "max_tokens": 5}, True),
            ({"a": f"x {_OURS}"}, False),
            ({"a": f"x {secret} y"}, False),
            ({"a": "use sk-abcdefghijkl"}, False),
            ({"password": "x"}, False),
            ({"a": {"api_key": "x"}}, False),
            ({"clientSecret": "x"}, False),
            ({"a": "\u00e9"}, None),
            ({"a": "QUJD" * 1000}, False),
            ({"logprobs": {"content": [{"token": "a"}]}}, False),
            ({"logprobs": None}, True),
        ):
            written = json.dumps(value)
            for text in (written, json.dumps(value, separators=(",", ":")), written.replace("/", "\\/")):
                with row(text):
                    if is_clean is not None:
                        self.assertEqual(ours.is_clean(text), is_clean)
                    if ours.is_clean(text):
                        self.assertEqual(ours.redacted(json.loads(text)), value)

    def test_rules(self) -> None:
        """Where a rule may find something, every text is looked at; paths lead where they lead."""
        for rule, text, is_clean in (
            ("$.a", '{"a":"x"}', True),
            ("$.a", '{"a":"x","logprobs":[]}', False),
            ("email", '{"a":"x"}', True),
            ("email", '{"a":"x@y"}', False),
            ("email", '{"a":"x%40y"}', False),
            ("card", '{"created":1700000000}', True),
            ("card", '{"n":4111111111111111}', False),
            ("card", '{"n":"4111 1111 1111 1111"}', False),
            ("url", '{"a":"x"}', True),
            ("url", '{"a":"http://x"}', False),
            ("url", '{"a":"http:\\/\\/x"}', False),
            ("phone", "{}", False),
            ("iban", "{}", False),
            ({"regex": "x"}, "{}", False),
        ):
            with row(rule, text):
                self.assertEqual(redactor(rule).is_clean(text), is_clean)
        self.assertEqual(redactor("$.a").without_paths({"a": 1, "b": 2}), {"a": MARK, "b": 2})

    def test_may_find(self) -> None:
        """What a pattern finds, it may find: in JSON too, however it is written."""
        for name, text in FOUND:
            if name in MAY_FIND:
                for written in (json.dumps({"a": text}), json.dumps({"a": text}, ensure_ascii=False)):
                    with row(name, written):
                        self.assertTrue("\\u" in written or MAY_FIND[name](written.replace("\\/", "/")))


class PieceTests(SynchronousTestCase):
    """What is said in pieces is read as one."""

    @staticmethod
    def _logprobs(*tokens: str) -> dict[str, Any]:
        return {"logprobs": {"content": [{"token": each, "logprob": -1, "top_logprobs": []} for each in tokens]}}

    def test_logprobs(self) -> None:
        """Log probabilities say a text again: they go where something is found in it, and where there are paths."""
        for rules, tokens, is_kept in (
            ((), ("He", "llo"), True),
            ((), ("sk-", "abcdefgh", "ijklmnop"), False),
            (("email",), ("jo", "@exam", "ple.com"), False),
            (("email",), ("jo", " at home"), True),
            (("$.x",), ("He", "llo"), False),
        ):
            with row(rules, tokens):
                value = self._logprobs(*tokens)
                expected = self._logprobs(*tokens) if is_kept else {"logprobs": MARK}
                self.assertEqual(redactor(*rules).redacted(value), expected)

    def test_legacy_logprobs(self) -> None:
        """Those of completions likewise."""
        value = {"logprobs": {"tokens": ["jo@", "example.com"], "token_logprobs": [-1, -2]}}
        self.assertEqual(redactor("email").redacted(value), {"logprobs": MARK})

    def test_no_logprobs(self) -> None:
        """None at all are none."""
        self.assertEqual(redactor("$.x").redacted({"logprobs": None}), {"logprobs": None})

    def test_events(self) -> None:
        """In events that nobody has merged, what goes on from one to the next is found; paths begin in each event."""
        events: list[Any] = [{"data": {"t": "jo@exa", "n": "a", "u": 1}}, {"data": {"t": "mple.com", "n": "b", "u": 2}}]
        self.assertEqual(
            redactor("email", "$.u").redacted(events, in_pieces=True),
            [{"data": {"t": MARK, "n": "a", "u": MARK}}, {"data": {"t": MARK, "n": "b", "u": MARK}}],
        )

    def test_events_alone(self) -> None:
        """What stands in one event is taken out of that alone."""
        events: list[Any] = [{"event": "e", "data": "to jo@example.com"}, {"data": " end"}]
        self.assertEqual(
            redactor("email").redacted(events, in_pieces=True), [{"event": "e", "data": f"to {MARK}"}, {"data": " end"}]
        )
