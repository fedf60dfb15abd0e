"""C{llmproxy admin-ui}."""

from __future__ import annotations

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.admin_ui import warnings
from llmproxy.cli.http import parse_address
from llmproxy.cli.main import cli


class AdminUiTests(SynchronousTestCase):
    def test_warnings(self) -> None:
        """What is sent in clear to other machines is said."""
        for description, url, count in (
            ("tcp:8081:interface=127.0.0.1", "http://localhost:8080", 0),
            ("tcp6:8081:interface=\\:\\:1", "unix:/run/x.sock", 0),
            ("unix:/run/ui.sock", "https://llm.example.com", 0),
            ("ssl:8443:privateKey=k:certKey=c", "http://127.0.0.1:1", 0),
            ("tcp:8081", "http://localhost", 1),
            ("tcp:8081:interface=127.0.0.1", "http://llm.example.com", 1),
            ("tcp:8081", "http://llm.example.com", 2),
        ):
            self.assertEqual(len(warnings(description, parse_address(url))), count, (description, url))

    def test_refused(self) -> None:
        """What cannot be served is an error of use."""
        for arguments in (
            ("--api-base-url", "ftp://x"),
            ("--listen", "nowhere"),
            ("--trusted-proxies", "nobody"),
        ):
            for command in (("admin-ui",), ("admin",)) if arguments[0] != "--trusted-proxies" else (("admin-ui",),):
                ended = CliRunner().invoke(cli, [*command, *arguments])
                self.assertEqual(ended.exit_code, 2, (command, arguments))
                self.assertIn("Error", ended.output, (command, arguments))

    def test_group(self) -> None:
        """Without anything, C{llmproxy admin} says what it can do."""
        ended = CliRunner().invoke(cli, ["admin"])
        self.assertEqual(ended.exit_code, 2)
        self.assertIn("llmproxy admin create", ended.output)
        self.assertNotIn("--listen", ended.output)
