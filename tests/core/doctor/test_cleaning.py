"""Values without secrets, and the last look whether any is left."""

from __future__ import annotations

import json
from base64 import b64encode
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.doctor.cleaning import (
    LEAST_SECRET,
    SET,
    Secrets,
    cleaned,
    last_lines,
    shown_variable,
    without_addresses,
)
from llmproxy.core.masking import MASKED

from ...tables import row

VALUES = st.recursive(
    st.text() | st.integers() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


class CleaningTests(SynchronousTestCase):
    @given(st.text(min_size=LEAST_SECRET, max_size=30), VALUES)
    def test_no_secret(self, secret: str, value: object) -> None:
        """Whatever the secret and whatever the value: its text has it in none of its forms."""
        secrets = Secrets([secret])
        value = {"a": value, secret: f"x{secret}y", "b": [quote(secret, safe="")]}
        text = json.dumps(cleaned(value, secrets.masked), ensure_ascii=False)
        left = [each for each in cleaned(value, secrets.masked).values() if secrets_in(secrets, each)]
        self.assertEqual(left, [], text)

    def test_forms(self) -> None:
        """As it is, in a URL, in base64, in hexadecimal digits, in JSON."""
        secret = 'p/ss w"rd'
        secrets = Secrets([secret])
        forms = (secret, quote(secret, safe=""), b64encode(secret.encode()).decode(), secret.encode().hex())
        for form in (*forms, json.dumps(secret)):
            with row(form):
                self.assertEqual(list(secrets.leaks({"f": f"a {form} b"})), ["f"])
                self.assertEqual(list(secrets.leaks({"f": secrets.masked(f"a {form} b")})), [])

    def test_words(self) -> None:
        """A password that is a word is masked wherever it stands; one of three letters cannot be looked for."""
        self.assertEqual(Secrets(["proxy"]).masked("llmproxy"), f"llm{MASKED}")
        self.assertEqual(list(Secrets(["masked"]).leaks({"f": f"a {MASKED}"})), [])
        self.assertEqual(Secrets(["abc"]).masked("abc"), "abc")
        self.assertEqual(Secrets([]).masked("abcdef"), "abcdef")

    def test_values(self) -> None:
        """Numbers stay; what JSON does not know is a text; what is deep is cut off."""
        deep: object = "x"
        for _ in range(60):
            deep = [deep]
        found = cleaned({"a": (1, 2.5, None, True), "b": 1j, "c": {"x"}, "d": deep}, str.upper)
        self.assertEqual((found["A"], found["B"], found["C"]), ([1, 2.5, None, True], "1J", ["X"]))
        self.assertIn(MASKED, json.dumps(found["D"]))

    def test_variables(self) -> None:
        """Numbers with units, switches and levels, and nothing that could be a secret."""
        for value in ("1", "0.5", "30s", "256 MiB", "10%", "true", "Off", "DEBUG", "json", "-1"):
            with row(value):
                self.assertEqual(shown_variable(value), value)
        for value in ("hunter2", "12345678abcd", "true story", "a", "postgres://x", "1.2.3.4", "0x12", ""):
            with row(value):
                self.assertEqual(shown_variable(value), SET)

    def test_addresses(self) -> None:
        """Those of clients; times and versions are none."""
        for text, expected in (
            ('{"client":"203.0.113.9","x":1}', '{"client":"[address]","x":1}'),
            ("from 2001:db8::17 now", "from [address] now"),
            ("from [2001:db8:0:0:1:2:3:4]:443", "from [[address]]:443"),
            ("at 12:34:56.789, version 1.2.3", "at 12:34:56.789, version 1.2.3"),
            ("2026-11-30T23:58:16+0000 llmproxy 0.3.0", "2026-11-30T23:58:16+0000 llmproxy 0.3.0"),
            ("http://127.0.0.1:8080 and 0.0.0.0", "http://127.0.0.1:8080 and 0.0.0.0"),
        ):
            with row(text):
                self.assertEqual(without_addresses(text), expected)

    def test_last_lines(self) -> None:
        """The end, without the line that the cut went through: half a secret is in no mask."""
        self.assertEqual(last_lines("one\ntwo\nthree\n", 8), "three\n")
        self.assertEqual(last_lines("one\ntwo\n", 100), "one\ntwo\n")
        self.assertEqual(last_lines("a" * 100, 10), "")


def secrets_in(secrets: Secrets, value: object) -> bool:
    """Whether a text in a value, or a name, has one."""
    if isinstance(value, dict):
        return any(secrets_in(secrets, each) for pair in value.items() for each in pair)
    if isinstance(value, list):
        return any(secrets_in(secrets, each) for each in value)
    return isinstance(value, str) and bool(list(secrets.leaks({"f": value})))
