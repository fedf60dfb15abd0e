"""Tests for L{llmproxy.cli.benchmark}; what it does is in C{tests.integration.test_benchmark}."""

from __future__ import annotations

import json
from pathlib import Path
from xml.dom.minidom import parse

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.benchmark import command, show

from ..bench.reports import reported

WRONG = [
    (["--url", "localhost:8080"], "expected http://host"),
    (["--url", "http://u:s3cret@h"], "no user and no password"),
    (["--url", "http://h", "--path", "v1"], "begins with /"),
    (["--direct", "http://h"], "give --url too"),
    (["--token-env", "X"], "give --url too"),
    (["--pid", "1"], "give --url too"),
    (["--url", "http://h", "--workers", "2"], "without --url"),
    (["--url", "http://h", "--direct", "http://d", "--upstream-port", "9"], "not both"),
    (["--url", "http://h", "--token-env", "X", "--token-file", __file__], "not both"),
    (["-r", "5", "--run", "open"], "--requests bounds a closed loop"),
    (["-r", "0"], "0 is not in the range"),
    (["-c", "many"], "not a valid integer"),
    (["--duration", "99999"], "not in the range"),
    (["--bounds", "1,x"], "could not convert"),
    (["--bounds", "1,,"], "could not convert"),
    (["--bounds", "nan"], "numbers between"),
    (["--run", "all"], "'all' is not one of"),
    (["--header", "Host: x"], "written by the benchmark itself"),
    (["--token-file", "/none"], "does not exist"),
    (["--token", "sk-s3cret"], "give --url too"),
    (["--url", "http://h", "--token", "s3cret x"], "--token: "),
]


class CommandTests(SynchronousTestCase):
    def invoke(self, *arguments: str) -> Result:
        return CliRunner().invoke(command, arguments, env={"PROXY_TOKEN": ""})

    def test_what_is_wrong(self) -> None:
        """It is told before anything starts, and no secret is said with it."""
        for arguments, words in WRONG:
            ended = self.invoke(*arguments)
            self.assertEqual(ended.exit_code, 2, arguments)
            self.assertIn(words, ended.output.replace("\n", " "), arguments)
            self.assertNotIn("s3cret", ended.output)

    def test_help(self) -> None:
        """It has examples that can be pasted, each on a line of its own."""
        shown = self.invoke("--help").output
        self.assertIn("\n    llmproxy benchmark\n", shown)
        self.assertIn("--direct-token-env OPENAI_API_KEY", shown)


class ShowTests(SynchronousTestCase):
    def test_files(self) -> None:
        """The figures as JSON and the curves as SVG, in the files that were named."""
        figures, drawn = self.mktemp(), self.mktemp()
        show(reported(), {"json_file": figures, "svg_file": drawn, "plot": False})
        self.assertTrue(json.loads(Path(figures).read_text())["complete"])
        self.assertTrue(parse(drawn).getElementsByTagName("polyline"))
