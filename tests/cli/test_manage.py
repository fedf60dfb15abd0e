"""The names of the reference."""

from __future__ import annotations

from .api import MANAGEMENT_TOKEN, CommandTestCase


class ManageTests(CommandTestCase):
    def test_scripts_go_on(self) -> None:
        """What is written in scripts for the reference does what it did."""
        flags = ("--management-token", MANAGEMENT_TOKEN)
        made = self.invoke("manage", "project", "create", "--name", "a", "--openai-key", "sk-old", *flags)
        self.assertEqual(made.exit_code, 0, made.output)
        (project,) = self.successResultOf(self.database.projects.list())
        token = self.said("manage", "token", "generate", "--project-id", project.id, "--duration", "60", *flags)
        self.assertEqual(self.principal(token["token"].encode()).project.id, project.id)

    def test_help(self) -> None:
        """Each old name has help, and the new ones do not list them."""
        for command in (("project", "list"), ("token", "generate")):
            self.assertEqual(self.invoke("manage", *command, "--help").exit_code, 0, command)
        self.assertNotIn("manage ", self.invoke("--help").stdout)
        self.assertNotIn("generate", self.invoke("token", "--help").stdout)

    def test_unknown(self) -> None:
        """A group that never was is an error of use."""
        self.assertEqual(self.invoke("manage", "version").exit_code, 2)
