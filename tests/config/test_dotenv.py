"""Files of environment variables."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.dotenv import parse_dotenv, source_of, with_dotenv
from llmproxy.config.problems import Problems
from llmproxy.errors import ConfigError

from ..properties import examples
from ..tables import row


class ParseTests(SynchronousTestCase):
    def parse(self, text: str) -> dict[str, str]:
        problems = Problems(".env")
        found = parse_dotenv(text, problems)
        problems.fail()
        return found

    def test_forms(self) -> None:
        """What other tools write into such files is understood."""
        table = {
            "A=1": "1",
            "A = 1 ": "1",
            "export A=1": "1",
            "A=": "",
            "A= # nothing": "",
            "A='it is #1 $HOME \\n'": "it is #1 $HOME \\n",
            'A="two\\nlines \\"so\\" \\$1"': 'two\nlines "so" $1',
            'A="x" # why': "x",
            "A=x # why": "x",
            "A=x#y": "x#y",
            "A=a b": "a b",
            "A=sk-_=+/": "sk-_=+/",
        }
        for line, value in table.items():
            self.assertEqual(self.parse(f"# comment\n\n{line}\n"), {"A": value}, line)

    def test_what_is_not_understood_is_told_with_its_line(self) -> None:
        """A broken line is an error that names file and line, and not the secret in it."""
        for line in ("TOKEN", "1TOKEN=s3cret", "TOKEN='s3cret", 'TOKEN=s3"cret', "TOKEN='a'b"):
            with row(line):
                error = self.assertRaises(ConfigError, self.parse, f"A=1\n{line}\n")
            self.assertTrue(str(error).startswith(".env:2:1: "), str(error))
            self.assertNotIn("s3", str(error))

    @given(st.text(st.characters(min_codepoint=32, max_codepoint=1000, exclude_characters="'"), max_size=30))
    @settings(max_examples=examples(50), deadline=None)
    def test_single_quotes_keep_everything(self, value: str) -> None:
        """A secret of any characters comes out as it went in."""
        self.assertEqual(self.parse(f"A='{value}'"), {"A": value})


class WithDotenvTests(SynchronousTestCase):
    def test_what_is_set_stays(self) -> None:
        """A variable of the process stands above the file, as in the reference."""
        path = self.mktemp()
        Path(path).write_text("A=file\nB=file\n")
        self.assertEqual(with_dotenv({"A": "process"}, path), {"A": "process", "B": "file"})

    def test_sources(self) -> None:
        """It is known of each value where it comes from; an empty variable is none, and hides nothing."""
        path = self.mktemp()
        Path(path).write_text("A=file\nB=file\nC=same\nE=file\n")
        made = with_dotenv({"A": "process", "C": "same", "D": "process", "E": ""}, path)
        self.assertEqual(made, {"A": "process", "B": "file", "C": "same", "D": "process", "E": "file"})
        sources = {name: source_of({**made}, name) for name in "ABCDE"}
        other = f"the environment (it comes before {path}, where the value is another)"
        environment = "the environment"
        self.assertEqual(sources, {"A": other, "B": path, "C": environment, "D": environment, "E": path})

    def test_a_missing_file_is_told(self) -> None:
        """A file that was asked for and is not there is no empty file."""
        error = self.assertRaises(ConfigError, with_dotenv, {}, "/nowhere/.env")
        self.assertIn("/nowhere/.env: cannot be read", str(error))

    def test_none(self) -> None:
        """Without a file only the process's variables count."""
        self.assertEqual(with_dotenv({"A": "1"}, None), {"A": "1"})
