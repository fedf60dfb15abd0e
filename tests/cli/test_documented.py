"""What the documents say of commands, held against the commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.main import COMMANDS, cli

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_IN_TEXT = re.compile(r"`(llmproxy(?: [^`]+)?)`")


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that help lists, below C{group}."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        elif not command.hidden:
            yield (*path, name), command


def lines(text: str) -> Iterator[str]:
    """Every command line that a document shows."""
    yield from _IN_TEXT.findall(text)
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("$") and "twistd" not in line:
                parts = re.split(r"\||\$\(|&&", line)
                yield from (part[part.index("llmproxy ") :] for part in parts if "llmproxy " in part)


class DocumentedTests(SynchronousTestCase):
    def test_every_command(self) -> None:
        """The page of commands leaves none out."""
        text = (ROOT / "docs" / "cli.md").read_text()
        missing = [" ".join(path) for path, _ in commands(cli) if f"`llmproxy {' '.join(path)}`" not in text]
        self.assertEqual(missing, [])

    def test_every_line(self) -> None:
        """Each command line in the documents is one that exists, with options that exist."""
        wrong = []
        for document in DOCUMENTS:
            for line in lines(document.read_text()):
                problem = self.problem(line)
                if problem:
                    wrong.append(f"{document.name}: {line}: {problem}")
        self.assertEqual(wrong, [])

    def problem(self, line: str) -> str:
        words = shlex.split(line.rstrip(")").replace("…", ""), comments=True)[1:]
        command: click.Command = cli
        context = click.Context(cli)
        while words and isinstance(command, click.Group) and not words[0].startswith("-"):
            found = command.get_command(context, words.pop(0))
            if found is None:
                return "no such command"
            command = found
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        asked = {word.partition("=")[0] for word in words if word.startswith("--")}
        unknown = sorted(asked - known - {"--help", "--version"})
        return f"no {', '.join(unknown)}" if unknown else ""

    def test_help_with_examples(self) -> None:
        """Every group of commands shows how they are used."""
        for name in COMMANDS:
            command = cli.get_command(click.Context(cli), name)
            assert command is not None and command.help
            if isinstance(command, click.Group):
                self.assertIn(f"llmproxy {name} ", command.help, name)
