"""C{docs/tracing.md}: it has every attribute, metric, setting and variable, and what it shows works."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.sinks import check_sinks
from llmproxy.config import load_api_config
from llmproxy.config.tracing import TRACING_KEYS
from llmproxy.config.variables import OTEL_VARIABLES
from llmproxy.core.events.ofrecord import event_of_record
from llmproxy.core.telemetry.conventions import LATEST, LEGACY, PROVIDERS
from llmproxy.core.telemetry.metrics import INSTRUMENTS
from llmproxy.core.telemetry.spans import spans_of

from .core.events.samples import full_record
from .tables import row

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "tracing.md").read_text("utf-8")
API = "default_api: a\napis: {a: {base_url: 'http://a', allowed_endpoints: [/v1], allowed_methods: [POST]}}\n"
CODE = re.compile(r"`([^`]+)`")


class Variables(dict[str, str]):
    """Every variable that somebody names has a value."""

    def get(self, name: str, default: Any = None) -> Any:
        return "value-of-it"


def section(title: str) -> str:
    """What stands below a title, to the next one of its level."""
    found = PAGE.partition(f"\n{title}\n")[2].partition("\n## ")[0]
    assert found.strip(), title
    return found


def cells(text: str) -> list[list[str]]:
    """The rows of its tables."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def words(cell: str) -> list[str]:
    """The names of a cell: C{.more} has what comes before the last name's own dots."""
    found: list[str] = []
    for word in CODE.findall(cell):
        base = found[0] if found else ""
        found.append(_whole(base, word) if word.startswith(".") else word)
    return found


def _whole(base: str, rest: str) -> str:
    """The first name with its end in another one's place: as many parts as that has, or one."""
    if base.startswith("llmproxy."):
        return "llmproxy" + rest
    return base.removesuffix("input_tokens").rstrip(".") + rest if "usage" in base else base.rpartition(".")[0] + rest


def blocks() -> list[str]:
    """The examples that are configurations of ours."""
    found = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    return [each for each in found if each.startswith(("sinks:", "tracing:", "default_api:"))]


class PageTests(SynchronousTestCase):
    def test_examples(self) -> None:
        """What is shown can be pasted."""
        self.assertGreaterEqual(len(blocks()), 6)
        for block in blocks():
            with row(block):
                path = self.mktemp()
                Path(path).write_text(block if "default_api" in block else API + block)
                config = load_api_config(path, env=Variables())
                check_sinks(config.sinks, {})
                self.assertIsNotNone(config.tracing_options())

    def test_settings(self) -> None:
        """Each setting of the sink is there, and no other."""
        named = {word for cell in cells(section("## Settings of the sink"))[2:] for word in words(cell[0])}
        text = Path(__file__).resolve().parent.parent / "llmproxy" / "sinks" / "otlp.py"
        read = set(re.findall(r'read\.(?:text|texts|url|flag|duration|number)\("(\w+)"', text.read_text()))
        read |= set(re.findall(r'_word\(read, "(\w+)"', text.read_text())) | {"ca_file", "client_cert", "client_key"}
        read |= {"traces", "metrics", "logs", "traces_endpoint", "metrics_endpoint", "logs_endpoint"}
        self.assertEqual(named, read)
        block = next(each for each in blocks() if each.startswith("tracing:"))
        self.assertEqual(yaml.safe_load(block)["tracing"].keys(), TRACING_KEYS.keys() - {"enabled"})

    def test_attributes(self) -> None:
        """Each attribute of a call is in the table, under the versions that have it."""
        event = event_of_record(full_record(part_of=None))
        table = {name: line[1:3] for line in cells(section("## Names")) for name in words(line[0])}
        for column, semconv in enumerate(("legacy", "latest")):
            _, failed, answered = spans_of(event, semconv)
            for name in {**failed.attributes, **answered.attributes}:
                if name != "http.request.method":
                    with row((semconv, name)):
                        self.assertEqual(table[name][column], "yes")

    def test_metrics(self) -> None:
        """Each metric is in the table, under the versions that have it."""
        table = {name: line for line in cells(section("## Metrics"))[2:] for name in words(line[0])}
        for instrument in INSTRUMENTS:
            with row(instrument.name):
                _, unit, legacy, latest = table[instrument.name]
                self.assertEqual(unit, instrument.unit)
                self.assertEqual(legacy == "yes", instrument.since in ("legacy", "any"))
                self.assertEqual(bool(latest), instrument.since != "legacy" or "operation.duration" in instrument.name)

    def test_variables(self) -> None:
        """Each variable is on the page."""
        found = set()
        for line in cells(section("## Variables"))[2:]:
            for word in CODE.findall(line[0]):
                found.add(f"OTEL_EXPORTER_OTLP{word}" if word.startswith("_") else word)
        ends = {
            name
            for name in OTEL_VARIABLES
            if re.search("_(METRICS|LOGS)_ENDPOINT|_(TRACES|METRICS|LOGS)_HEADERS", name)
        }
        self.assertEqual(found, OTEL_VARIABLES.keys() - ends)

    def test_versions(self) -> None:
        """The versions are those that the names are of; each provider is there."""
        self.assertIn(f"| version | {LEGACY} of", PAGE)
        self.assertIn(f"| {LATEST} of", PAGE)
        for name, value in PROVIDERS.items():
            self.assertIn(f"`{name}`", PAGE)
            self.assertTrue(name == value or f"`{value}`" in PAGE, name)
