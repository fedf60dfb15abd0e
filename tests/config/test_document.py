"""Tests for L{llmproxy.config.document}."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.document import MAX_FILE, Item, compose, read
from llmproxy.config.problems import Problems


class DocumentTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.problems = Problems("f")

    def root(self, text: str, **env: str) -> Item:
        item = compose(text, self.problems, env)
        assert item is not None
        return item

    def told(self) -> list[str]:
        return [sentence for _, sentence in self.problems.found]


class ItemTests(DocumentTests):
    def test_positions(self) -> None:
        """A value knows its line, its column and the way to it."""
        item = self.root("a:\n  - b: 1\n    c: [x, yes]\n").known("a")["a"].items()[0].mapping()["c"].items()[1]
        self.assertEqual((item.position, item.path, item.text()), ((3, 12), "a[0].c[1]", "yes"))

    def test_scalars_stay_what_was_written(self) -> None:
        """A version number, a date or a leading zero is the text that the operator wrote."""
        found = self.root("a: 1.10\nb: 2024-01-01\nc: 007\nd: 'on'\ne: True\n").mapping()
        self.assertEqual([found[key].text() for key in "abcd"], ["1.10", "2024-01-01", "007", "on"])
        self.assertIs(found["e"].boolean(), True)

    def test_wrong_kinds(self) -> None:
        """Asked for as what it is not, a value is C{None} or empty, and the operator is told both kinds."""
        found = self.root("text: x\nlist: [1]\nmap: {a: 1}\nnothing:\n").mapping()
        self.assertEqual(found["list"].text(), None)
        self.assertEqual(found["text"].items(), [])
        self.assertEqual(found["list"].mapping(), {})
        self.assertEqual(found["nothing"].text(), None)
        self.assertEqual(found["text"].boolean(), None)
        self.assertEqual(
            self.told(),
            [
                "f:2:7: list: expected a text, got a list",
                "f:1:7: text: expected a list, got 'x'",
                "f:2:7: list: expected a mapping of keys to values, got a list",
                "f:4:9: nothing: expected a text, got nothing",
                "f:1:7: text: expected true or false, got 'x'",
            ],
        )

    def test_variables(self) -> None:
        """Variables are replaced, defaults stand in for those that are empty or not set, C{$$} is a dollar sign."""
        found = self.root("- ${A}-${B:-b}-$$\n- ${C}\n- ${-}\n", A="1", B="").items()
        self.assertEqual([item.text() for item in found], ["1-b-$", None, None])
        self.assertIn("the environment variable C is not set", self.told()[0])
        self.assertIn("expected ${NAME} or ${NAME:-default}", self.told()[1])

    def test_no_value_of_a_variable_is_shown(self) -> None:
        """The environment holds secrets: printing a document does not show it."""
        self.assertNotIn("canary", repr(self.root("a: 1", SECRET="canary").document))


class ReadTests(DocumentTests):
    def test_mark_of_the_byte_order(self) -> None:
        """A file of an editor that writes a byte order mark is read."""
        path = self.mktemp()
        Path(path).write_bytes(b"\xef\xbb\xbfa: 1\n")
        self.assertEqual(read(path, self.problems), "a: 1\n")

    def test_too_large(self) -> None:
        """What is no configuration is not read whole."""
        path = self.mktemp()
        Path(path).write_bytes(b" " * (MAX_FILE + 1))
        self.assertIsNone(read(path, self.problems))
        self.assertEqual(self.told(), [f"f: is larger than {MAX_FILE} bytes"])

    def test_empty(self) -> None:
        """An empty file is told of as such."""
        self.assertIsNone(compose("# nothing\n", self.problems, {}))
        self.assertEqual(self.told(), ["f: is empty"])


class UnquotedVariableTests(DocumentTests):
    """C{{secret: ${NAME}}} is no YAML, and everybody writes it."""

    def test_read(self) -> None:
        """A variable in a flow needs no quotes."""
        for text in (
            "a: {secret: ${X}, b: 1}",
            "a: {b: 1, secret: ${X}}",
            "a: {h: {secret: Bearer ${X} }}",
            "# {it's: ${X}\na: {secret: ${X},\n    when: {status: '>=400'}}",
        ):
            item = compose(text, Problems("f"), {"X": "value"})
            assert item is not None, text
            found = item.mapping()["a"].mapping()
            secret = found["h"].mapping()["secret"] if "h" in found else found["secret"]
            self.assertIn("value", secret.text() or "", text)

    def test_lists(self) -> None:
        """Nor does one in a list."""
        item = compose("a: [${X}, ${X}]", Problems("f"), {"X": "value"})
        assert item is not None
        self.assertEqual([each.text() for each in item.mapping()["a"].items()], ["value", "value"])

    def test_still_wrong(self) -> None:
        """What is wrong besides is said as it was."""
        self.assertIsNone(compose("a: {secret: ${X}, b: {", self.problems, {"X": "value"}))
        self.assertIn("is not valid YAML", self.told()[0])
