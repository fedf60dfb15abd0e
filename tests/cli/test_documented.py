"""What the documents say of commands, held against the commands."""

from __future__ import annotations

import ast
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import yaml
from twisted.internet.task import Clock
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from llmproxy.cli.main import COMMANDS, cli
from llmproxy.config import load_api_config
from llmproxy.management.state import State
from llmproxy.management.usage import UsageRules
from llmproxy.tap import Options
from llmproxy.web.manage import manage_resource
from llmproxy.web.manage.usage import UsageRoutes

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted(set((ROOT / "docs").glob("*.md")) - {ROOT / "docs" / "commands.md"})]
"""Without the page that is made from the commands themselves."""
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
                found = (re.search(r"(?<![\w/])llmproxy ", part) for part in parts)
                yield from (each.string[each.start() :] for each in found if each)


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
        """Every group of commands, and every command, shows how it is used, with options that exist."""
        for name in COMMANDS:
            command = cli.get_command(click.Context(cli), name)
            assert command is not None and command.help
            if isinstance(command, click.Group):
                self.assertIn(f"llmproxy {name} ", command.help, name)
        without, wrong = [], []
        for path, command in commands(cli):
            name = "llmproxy " + " ".join(path)
            _, *found = re.split(r"Examples?:", command.help or "", maxsplit=1)
            text = "".join(found).replace("\\\n", " ")
            shown = [
                line[line.index("llmproxy ") :]
                for line in text.replace("\\\n", " ").splitlines()
                if "llmproxy " in line
            ]
            if not found or not any(re.match(rf"{name}(\s|$)", line) for line in shown):
                without.append(name)
            wrong += [f"{line}: {problem}" for line in shown if (problem := self.problem(line.partition(" | ")[0]))]
        self.assertEqual((without, wrong), ([], []))


class BlockTests(SynchronousTestCase):
    """What stands in the fenced blocks of the documents: each is of a kind that is looked at, and is what it says."""

    def blocks(self, *kinds: str) -> Iterator[tuple[str, str]]:
        for document in DOCUMENTS:
            for kind, block in re.findall(r"^```(\w*)\n(.*?)^```$", document.read_text(), re.DOTALL | re.MULTILINE):
                if kind in kinds:
                    yield document.name, block

    def test_kinds(self) -> None:
        """No block is of a kind that nothing looks at; those without a kind are pictures."""
        found = re.findall(r"^```(\w+)$", "\n".join(each.read_text() for each in DOCUMENTS), re.MULTILINE)
        self.assertEqual(
            set(found) - {"console", "python", "yaml", "nginx", "json", "ini", "sql", "diff", "toml"}, set()
        )

    def test_console(self) -> None:
        """Each line is of a program that is looked at here, or elsewhere; twistd's options exist."""
        ours = {"llmproxy", "twistd", "manage", "manage()", "make"}
        known = ours | {
            "curl",
            "pip",
            "export",
            "pass",
            "echo",
            "openssl",
            "cat",
            "jq",
            "git",
            "npm",
            "python",
            "claude",
            "codex",
            "docker",
            "deploy/compose/make-secrets",
            "kubectl",
            "helm",
            "python3",
            "/opt/llmproxy/bin/pip",
            "cp",
            "systemctl",
            "systemd-sysusers",
            "systemd-tmpfiles",
        }
        for document, block in self.blocks("console"):
            for line in block.replace("\\\n", " ").splitlines():
                if not line.startswith("$ "):
                    continue
                for part in re.split(r" \| | && ", re.sub(r"^\w+=\$\(|\)( #.*)?$", "", line[2:])):
                    words = [word for word in shlex.split(part, comments=True) if not re.match(r"[A-Z_]+=", word)]
                    if words:
                        self.assertIn(words[0], known, f"{document}: {line}")
                    if words[:1] == ["twistd"]:
                        self.twistd(words[1:])

    def twistd(self, words: list[str]) -> None:
        self.assertIn("llmproxy", words)
        Options().parseOptions(words[words.index("llmproxy") + 1 :])

    def test_make(self) -> None:
        """What make is asked for, it can make."""
        targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        asked = {
            word for _, block in self.blocks("console") for word in re.findall(r"^\$ make (\w+)", block, re.MULTILINE)
        }
        self.assertEqual(asked - targets, set())

    def test_management(self) -> None:
        """Each address below /manage is one that management knows, with a method that it has."""
        stores: Any = dict.fromkeys(("admins", "idempotency"))
        nothing: Any = None
        state = State(Clock().seconds, nothing, nothing)
        usage = UsageRoutes(UsageRules(Clock().seconds, nothing, nothing, None)).routes()
        resource = manage_resource(state=state, **stores, served=None, management_token="x", more=[usage])
        known = [pattern.strip("/").split("/") for pattern in resource.routes]
        for document, block in self.blocks("console"):
            for path in re.findall(r"/manage(/[\w/…-]+)", block):
                segments = path.strip("/").split("/")
                found = any(
                    len(pattern) == len(segments)
                    and all(one.startswith("{") or one == other for one, other in zip(pattern, segments, strict=True))
                    for pattern in known
                )
                self.assertTrue(found, f"{document}: {path}")

    def test_python(self) -> None:
        """Each block compiles, and what it imports is there."""
        for document, block in self.blocks("python"):
            tree = ast.parse(block, document)
            for node in tree.body:
                if isinstance(node, (ast.Import, ast.ImportFrom)):
                    exec(compile(ast.Module([node], []), document, "exec"), {})

    def test_toml(self) -> None:
        """Each is TOML, where the standard library reads it."""
        if sys.version_info < (3, 11):
            raise SkipTest("tomllib came with Python 3.11")
        import tomllib

        for document, block in self.blocks("toml"):
            self.assertTrue(tomllib.loads(block), document)

    def test_yaml(self) -> None:
        """Each configuration of APIs is one that the proxy takes; a part of one is YAML."""
        for document, block in self.blocks("yaml"):
            if "base_url:" in block and re.search("^apis:", block, re.MULTILINE):
                path = self.mktemp()
                Path(path).write_text(block)
                load_api_config(path, env={})
            else:
                self.assertIsNotNone(yaml.safe_load(block), document)
