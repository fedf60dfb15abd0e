"""Where the management API is and who asks."""

from __future__ import annotations

import os
from pathlib import Path

from .api import MANAGEMENT_TOKEN, CommandTestCase


class ConnectingTests(CommandTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(os.chdir, os.getcwd())
        directory = self.mktemp()
        os.mkdir(directory)
        os.chdir(directory)

    def quickstart(self, path: str = "llmproxy-data", address: str = "http://127.0.0.1:4711") -> None:
        os.mkdir(path)
        Path(path, "management-token").write_text(MANAGEMENT_TOKEN + "\n")
        Path(path, "address").write_text(address + "\n")

    def list(self, *options: str, **env: str | None) -> tuple[int, str]:
        result = self.invoke("project", "list", *options, **env)
        return result.exit_code, result.stderr

    def test_addresses(self) -> None:
        """The option goes before the variables, the variables before the directory, and that before the default."""
        self.quickstart()
        self.list("--manage-api-base-url", "http://a:1", MANAGE_API_BASE_URL="http://b:1")
        self.list("--api-base-url", "http://a:2")
        self.list(MANAGE_API_BASE_URL="http://b:1", MANAGEMENT_API_BASE_URL="http://c:1")
        self.list(MANAGEMENT_API_BASE_URL="http://c:1")
        self.list()
        os.remove("llmproxy-data/address")
        self.list()
        self.assertEqual(
            [address.text for address in self.addresses],
            ["http://a:1", "http://a:2", "http://b:1", "http://c:1", "http://127.0.0.1:4711", "http://localhost:8080"],
        )

    def test_before_the_command(self) -> None:
        """The address may stand where the reference has it."""
        for command in (("project", "list"), ("manage", "project", "list")):
            self.assertEqual(self.invoke("--manage-api-base-url", "unix:/x.sock", *command).exit_code, 0, command)
            self.assertEqual(self.addresses[-1].socket, "/x.sock", command)

    def test_tokens(self) -> None:
        """From a file, standard input, two variables, or the directory of quickstart: all let in."""
        self.quickstart()
        file = os.path.join("llmproxy-data", "management-token")
        self.assertEqual(self.list("--management-token-file", file, MANAGEMENT_TOKEN="wrong"), (0, ""))
        piped = self.invoke("project", "list", "--management-token-file", "-", input=MANAGEMENT_TOKEN)
        self.assertEqual(piped.exit_code, 0)
        self.assertEqual(self.list(MANAGEMENT_TOKEN=None, MANAGEMENT_TOKEN_FILE=file), (0, ""))
        self.assertEqual(self.list(MANAGEMENT_TOKEN=f"file:{file}"), (0, ""))
        self.assertEqual(self.list(MANAGEMENT_TOKEN=None), (0, ""))
        self.quickstart("elsewhere")
        self.assertEqual(self.list("--data", "elsewhere", MANAGEMENT_TOKEN=None), (0, ""))

    def test_wrong(self) -> None:
        """A token that is refused is the server's to say; the status is 4."""
        self.assertEqual(self.list(MANAGEMENT_TOKEN="wrong"), (4, "Error: invalid management token\n"))

    def test_on_the_command_line(self) -> None:
        """It works as in the reference, with a warning that does not repeat it."""
        status, words = self.list("--management-token", MANAGEMENT_TOKEN, MANAGEMENT_TOKEN=None)
        self.assertEqual(status, 0)
        self.assertIn("everybody on this machine", words)
        self.assertNotIn(MANAGEMENT_TOKEN, words)

    def test_found_lying_about(self) -> None:
        """A token that nobody named is not sent to another machine, whatever address is asked for."""
        self.quickstart()
        status, words = self.list("--manage-api-base-url", "https://far.example", MANAGEMENT_TOKEN=None)
        self.assertEqual((status, self.asked), (2, []))
        self.assertIn("MANAGEMENT_TOKEN", words)

    def test_in_clear(self) -> None:
        """Sending the token over a network without TLS is warned of."""
        _, words = self.list("--manage-api-base-url", "http://far.example")
        self.assertIn("without encryption", words)
        self.assertEqual(self.list("--manage-api-base-url", "https://far.example"), (0, ""))

    def test_mistakes(self) -> None:
        """No token, no address, a directory that is none: an error of use or of input, and nothing is asked."""
        self.assertEqual(self.list(MANAGEMENT_TOKEN=None)[0], 2)
        self.assertEqual(self.list("--manage-api-base-url", "nope")[0], 2)
        self.assertEqual(self.list("--data", "nowhere", MANAGEMENT_TOKEN=None)[0], 1)
        self.assertEqual(self.list(MANAGEMENT_TOKEN="a\nb")[0], 1)
        self.assertEqual(self.asked, [])
