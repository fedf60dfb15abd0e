"""The output of the Go program, as its users' scripts read it."""

from __future__ import annotations

import os
import re

from llmproxy.cli.oldnames import token_lines

from .api import MANAGEMENT_TOKEN, CommandTestCase


class OldLinesTests(CommandTestCase):
    def setUp(self) -> None:
        super().setUp()
        os.makedirs(directory := self.mktemp())
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(directory)

    def test_project(self) -> None:
        """A project is a line for each field; a list has its columns at their places."""
        made = self.invoke("manage", "project", "create", "--name", "a", "--openai-key", "sk-old-key-0123456789")
        lines = made.stdout.splitlines()
        self.assertEqual([line.partition(": ")[0] for line in lines], ["ID", "Name", "API Key", "Created", "Updated"])
        self.assertRegex(lines[3], r"^Created: \d{4}-\d\d-\d\d \d\d:\d\d$")
        self.assertNotIn("0123456789", made.output)
        listed = self.invoke("manage", "project", "list").stdout.splitlines()
        self.assertEqual(listed[0].split("  ")[0].strip(), "ID")
        self.assertEqual(listed[1][:36], lines[0].removeprefix("ID: "))
        self.assertEqual(listed[1][38:39], "a")
        # Without manage it is our own table.
        self.assertNotIn("ID: ", self.invoke("project", "get", "a").stdout)

    def test_token(self) -> None:
        """A token stands behind its word, where grep finds it, and its mask below."""
        self.invoke("manage", "project", "create", "--name", "a", "--openai-key", "sk-old-key-0123456789")
        made = self.invoke("manage", "token", "generate", "--project-id", "a").stdout
        match = re.fullmatch(r"Token: (sk-.{22})\nObfuscated: (.*)\nExpires at: .*\n", made)
        assert match is not None
        self.assertEqual(match[2], match[1][:7] + "*" * 14 + match[1][-4:])

    def test_dotenv(self) -> None:
        """The management token may stand in the file of the directory, as there; it is sent to this machine alone."""
        with open(".env", "w") as file:
            file.write(f"MANAGEMENT_TOKEN={MANAGEMENT_TOKEN}\nMANAGE_API_BASE_URL=http://elsewhere.example\n")
        self.assertEqual(self.invoke("manage", "project", "list", MANAGEMENT_TOKEN=None).exit_code, 0)
        self.assertTrue(all(each.local for each in self.addresses))
        away = ("--api-base-url", "http://elsewhere.example")
        for arguments in (("manage", "project", "list", *away), ("project", "list")):
            ended = self.invoke(*arguments, MANAGEMENT_TOKEN=None)
            self.assertEqual(ended.exit_code, 2, arguments)
            self.assertIn("management token is needed", ended.output)

    def test_mask(self) -> None:
        """The mask is the original's: four characters at either end."""
        (_, mask, _) = token_lines({"token": "sk-abcdefghijklmnopqrstuv", "expires_at": None})
        self.assertEqual(mask, "Obfuscated: sk-abcd**************stuv")
