"""What docs/reference-names.md says of names is true, as far as that can be looked up."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

import llmproxy
from llmproxy import errors, identityerrors, limiterrors
from llmproxy.app.proxy import TransparentProxy
from llmproxy.app.tree import management_of
from llmproxy.cli.main import cli
from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.config.environment import read_environment
from llmproxy.config.oldvariables import NOT_EFFECTIVE, OF_COMMANDS
from llmproxy.config.schema import API_KEYS, TOP_KEYS
from llmproxy.config.variables import EFFECTIVE
from llmproxy.core.routing import OWN
from llmproxy.sinks.metrics import ProxyMetrics
from llmproxy.web.metrics import as_json, as_text

PACKAGE = Path(llmproxy.__file__).parent
PAGE = (Path(__file__).parent.parent / "docs" / "reference-names.md").read_text()
CODE = re.compile(r"`([^`]+)`")
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]+")


def section(title: str) -> str:
    """The text below a heading."""
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    """The cells of each row of a section's table."""
    found = [line for line in section(title).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line[1:].rstrip("|").split("|")] for line in found[1:]]


def alone(title: str) -> set[str]:
    """What a section calls ours alone."""
    return set(CODE.findall(section(title).partition("Ours alone:")[2].split("\n\n")[0].split("explains")[0]))


def named(title: str, kind: str | None = None) -> set[str]:
    """The names in the first cells, of rows whose third cell is C{kind}."""
    return {name for row in rows(title) if kind in (None, row[2]) for name in CODE.findall(row[0])}


class VariableTests(SynchronousTestCase):
    def test_all(self) -> None:
        """Each variable is on the page once, and what the page says that it does here is what it does."""
        title = "Environment variables"
        names = [name for row in rows(title) for name in CODE.findall(row[0])]
        self.assertEqual(len(names), len(set(names)))
        ours = {name for name in alone(title) if VARIABLE.fullmatch(name)}
        self.assertEqual(named(title, "yes") | ours, set(EFFECTIVE))
        self.assertEqual(named(title, "yes") & ours, set())
        self.assertEqual(named(title, "warned of"), set(NOT_EFFECTIVE))
        self.assertEqual({row[2] for row in rows(title)}, {"yes", "warned of"})

    def test_commands(self) -> None:
        """Those that stand for options are on the page with their option."""
        said = {name: row[1] for row in rows("Variables of commands") for name in CODE.findall(row[0])}
        self.assertEqual(said.keys(), OF_COMMANDS.keys())
        for name, option in OF_COMMANDS.items():
            self.assertIn(option.split()[-1], said[name], name)

    def test_defaults(self) -> None:
        """The defaults are those of a process with nothing set."""
        found = read_environment({"MANAGEMENT_TOKEN": "3f9c1e7a-0123-4567-89ab-cdef01234567"}, lambda path: "")
        cache = found.cache
        for name, value in (
            ("LISTEN_ADDR", found.listen[0].replace("tcp", "")),
            ("DATABASE_PATH", found.storage.database_url.removeprefix("sqlite:///")),
            ("DATABASE_POOL_SIZE", str(found.storage.pool_size)),
            ("API_CONFIG_PATH", found.config_path),
            ("LOG_LEVEL", found.log_level),
            ("LOG_FORMAT", found.log_format),
            ("AUDIT_ENABLED", str(found.audit is not None).lower()),
            ("METRICS_PATH", found.metrics_path),
            ("CACHE_STATS_BUFFER_SIZE", str(cache.stats_buffer)),
            ("HTTP_CACHE_ENABLED", str(cache.enabled).lower()),
            ("HTTP_CACHE_STREAM_RESPONSES", str(cache.defaults.streams).lower()),
            ("HTTP_CACHE_DEFAULT_TTL", f"{cache.defaults.default_ttl:g}"),
            ("HTTP_CACHE_MAX_OBJECT_BYTES", str(cache.defaults.max_object)),
            ("REDIS_CACHE_KEY_PREFIX", cache.prefix),
        ):
            [row] = [row for row in rows("Environment variables") if f"`{name}`" in row[0]]
            self.assertIn(value, CODE.findall(row[3]), name)


class KeyTests(SynchronousTestCase):
    def test_all(self) -> None:
        """Each key of an API and of the whole file is on the page once."""
        title = "Keys of the configuration file"
        self.assertEqual(named(title) & alone(title), set())
        self.assertEqual(named(title) | alone(title), {*API_KEYS, *TOP_KEYS})

    def test_clocks(self) -> None:
        """The defaults of the clocks are what the page says."""
        timeouts = APIProviderConfig().timeouts
        for row in rows("Clocks"):
            value = getattr(timeouts, row[0].strip("`"))
            said = row[2].split(",")[0]
            self.assertEqual(
                said, "" if not value and value is not None else "no limit" if value is None else f"{value:g}s", row
            )


class EndpointTests(SynchronousTestCase):
    def test_management(self) -> None:
        """Every path of management is on the page."""
        api = APIProviderConfig(base_url="http://127.0.0.1:9", allowed_endpoints=["/v1"], allowed_methods=["GET"])
        config = APIConfig({"x": api}, "x")
        proxy = TransparentProxy(MemoryReactorClock(), config, database_url=":memory:", management_token="x" * 40)
        served: Any = management_of(proxy)
        said = {name for name in named("Endpoints") | alone("Endpoints") if name.startswith("/manage")}
        paths = {f"/manage{path}" for path in served.routes}
        admins = {path for path in paths if path.startswith("/manage/admins/")}
        self.assertEqual(said, paths - admins)

    def test_operations(self) -> None:
        """What the proxy answers itself is on the page, in whichever column."""
        for name in OWN:
            self.assertIn(f"`/{name}`", section("Endpoints"))


class ErrorTests(SynchronousTestCase):
    def test_codes(self) -> None:
        """Each code that the page names is one of ours, but for the one that nobody sees."""
        known = (*vars(errors).values(), *vars(limiterrors).values(), *vars(identityerrors).values())
        ours = {each.code for each in known if isinstance(getattr(each, "code", None), str)}
        title = "Error codes of the proxied path"
        said = set(CODE.findall(" ".join(row[0] for row in rows(title)))) | {
            name for name in alone(title) if re.fullmatch("[a-z_]+", name)
        }
        self.assertEqual(said - ours, {"canceled", "Proxy error"})


class MetricTests(SynchronousTestCase):
    def test_names(self) -> None:
        """Each metric that the page says has the same name is shown, as text and as JSON."""
        metrics = ProxyMetrics()
        text = as_text(metrics, 1.0, {}).decode()
        for row in rows("Metrics"):
            if row[2].startswith("the same"):
                shown: Any = as_json(metrics, 1.0) if "JSON" in row[0] else text
                for name in CODE.findall(row[0]):
                    self.assertIn(name, shown)
            for pattern in CODE.findall(row[2]):
                self.assertIn(pattern.rstrip("*"), text)


class EmbeddingTests(SynchronousTestCase):
    def test_names(self) -> None:
        """Each name of ours can be imported, or is one of the proxy's."""
        source = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py"))
        for row in rows("Names for those who embed it"):
            for name in CODE.findall(row[0] if "same name" in row[1] else row[1]):
                name = name.removesuffix("()")
                self.assertRegex(source, rf"(?m)^ *(class|def|self\.) ?{name}\b|self\.{name} = ", name)


class CommandTests(SynchronousTestCase):
    def test_all(self) -> None:
        """Each command of ours that the page names is there."""
        known = set(commands(cli))
        for row in rows("Commands"):
            for name in CODE.findall(row[1]):
                if name.startswith("llmproxy "):
                    self.assertIn(name.removeprefix("llmproxy "), known, row)
        for name in alone("Commands"):
            if not name.startswith("llmproxy"):
                self.assertTrue(any(each == name or each.startswith(f"{name} ") for each in known), name)

    def test_old_names(self) -> None:
        """What the page says is the same is there under its old name."""
        context = click.Context(cli)
        for row in rows("Commands"):
            if row[1].startswith("the same"):
                for name in CODE.findall(row[0]):
                    found: Any = cli
                    for word in name.split():
                        found = found.get_command(context, word)
                        self.assertIsNotNone(found, name)


def commands(group: Any, before: str = "") -> list[str]:
    """Every command that is listed, with the words before it."""
    context = click.Context(group)
    found = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        found += [before + name]
        if isinstance(command, click.Group):
            found += commands(command, f"{before}{name} ")
    return found
