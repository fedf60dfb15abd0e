"""C{docs/events.md}: it has every field, key, type and metric, and what it shows works."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import yaml
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.sinks import check_sinks
from llmproxy.config import load_api_config
from llmproxy.config.sinkschema import SINK_KEYS
from llmproxy.core.events import AttemptMade, Content, Event, json_schema
from llmproxy.core.events.when import When
from llmproxy.sinks.registry import TYPES
from llmproxy.web.sinkfamilies import sink_families

from .core.events.samples import event
from .tables import row

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = (DOCS / "events.md").read_text("utf-8")
API = "default_api: a\napis: {a: {base_url: 'http://a', allowed_endpoints: [/v1], allowed_methods: [POST]}}\n"


class Variables(dict[str, str]):
    """Every variable that somebody names has a value."""

    def get(self, name: str, default: Any = None) -> Any:
        return "value-of-it"


def section(title: str) -> str:
    """What stands below a title, to the next one of its level or above."""
    _, _, rest = PAGE.partition(f"\n{title}\n")
    level = len(title.split(" ")[0])
    found = re.split(rf"\n#{{1,{level}}} ", rest)[0]
    assert found.strip(), title
    return found


def first_column(text: str) -> set[str]:
    """The words in code of the first column of a table."""
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {word for cell in cells for word in re.findall(r"`([^`]+)`", cell)}


class PageTests(SynchronousTestCase):
    def test_fields(self) -> None:
        """Each field of an event is there, and no other."""
        self.assertEqual(first_column(section("## The event")), {each.name for each in msgspec.structs.fields(Event)})
        content = {name for name in first_column(section("## Content")) if "_" in name}
        for each in msgspec.structs.fields(Content):
            self.assertIn(f"`{each.name}`", section("## Content"))
        self.assertLessEqual({"request_body", "response_body"}, content)
        self.assertTrue(any(each.name in section("## The event") for each in msgspec.structs.fields(AttemptMade)))

    def test_keys(self) -> None:
        """Each setting of all sinks is there with its default."""
        table = re.split(r"\n### ", section("## Sinks"))[0].partition("| key |")[2]
        self.assertEqual(first_column(table), set(SINK_KEYS))

    def test_types(self) -> None:
        """Each type is there."""
        table = section("## Sinks").partition("| key |")[0]
        self.assertEqual(first_column(table) - {"type"}, set(TYPES))

    def test_metrics(self) -> None:
        """Each metric is there."""
        from llmproxy.core.events.reports import SinkReport

        names = {sample.name for family in sink_families([SinkReport("a", "file")]) for sample in family.samples}
        self.assertEqual(first_column(section("## How they are")), names)

    def test_schema_file(self) -> None:
        """The schema beside the page is the schema."""
        self.assertEqual(json.loads((DOCS / "event-1.schema.json").read_text("utf-8")), json_schema())

    def test_configurations(self) -> None:
        """Each sink that is shown can be made as it stands there."""
        shown = [each for each in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "sinks:" in each]
        self.assertGreater(len(shown), 4)
        for number, text in enumerate(shown):
            path = self.mktemp()
            Path(path).write_text(text if "apis:" in text else API + text)
            with row(number, text):
                config = load_api_config(path, env=Variables())
                self.assertTrue(config.sinks)
                check_sinks(config.sinks, {})

    def test_kinds(self) -> None:
        """A sink that asks for alerts gets each kind that the table has, but for what is no alert."""
        alerts = yaml.safe_load(section("## Which events").partition("```yaml")[2].partition("```")[0])["sinks"][0]
        others = {"exchange", "agent.metrics", "agent.logs", "agent.traces"}
        for kind in first_column(section("## Which events")) - others:
            self.assertTrue(When(alerts["when"]).matches(event(kind=kind)), kind)

    def test_verification(self) -> None:
        """The receiver that is shown verifies what we sign, and refuses what was changed."""
        from llmproxy.core.events.webhooks import signature

        block = section("### Webhook").partition("```python")[2].partition("```")[0]
        found: dict[str, Any] = {}
        exec(block, found)
        now = int(found["time"].time())
        headers = {"webhook-id": "msg_1", "webhook-timestamp": str(now)}
        headers["webhook-signature"] = signature(b"secret", "msg_1", now, b"[]")
        self.assertTrue(found["is_ours"](b"secret", headers, b"[]"))
        self.assertFalse(found["is_ours"](b"secret", headers, b"[1]"))
        self.assertFalse(found["is_ours"](b"other", headers, b"[]"))
        headers["webhook-timestamp"] = str(now - 1000)
        self.assertFalse(found["is_ours"](b"secret", headers, b"[]"))


class OwnSinkTests(SynchronousTestCase):
    """The sink of a package, as the page shows it, installed where Python finds it."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        text = section("### A sink of your own")
        package = self.directory / "my_package"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        (package / "my_module.py").write_text(text.partition("```python")[2].partition("```")[0])
        info = self.directory / "my_package-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
        ini = text.partition("```ini")[2].partition("```")[0]
        names = re.findall(r"^ +(\S+ = \S+)$", ini, re.MULTILINE)
        (info / "entry_points.txt").write_text("[llmproxy.sinks]\n" + "\n".join(names) + "\n")

    def test_runs(self) -> None:
        """A configuration names it, and its receiver gets events."""
        script = """
import socket, sys
from twisted.internet import reactor
from llmproxy.app.sinks import SinkMaker
from llmproxy.config.sinks import SinkConfig
from llmproxy.core.events.notices import notice
from llmproxy.core.masking import Masking
from llmproxy.sinks.registry import type_names
from llmproxy.store.threads import NoThreads

receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(sys.argv[1])
maker = SinkMaker(reactor, lambda: None, NoThreads().run, Masking(), ":memory:")
queue = maker.queue(SinkConfig("log", "syslog", settings={"address": sys.argv[1]}, batch=1))
queue.take([notice("exchange", 0.0, status=200, path="/v1/x")])
print("syslog" in type_names(), queue.delivered, queue.lost, receiver.recv(1000).rstrip(b"\\0"))
"""
        root = str(DOCS.parent)
        address = f"/tmp/{self.directory.name}.sock"
        self.addCleanup(lambda: Path(address).unlink(missing_ok=True))
        ended = subprocess.run(
            [sys.executable, "-c", script, address],
            env={"PYTHONPATH": f"{root}:{self.directory.resolve()}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual(ended.stderr, "")
        self.assertEqual(ended.stdout, "True 1 0 b'<14>exchange 200 /v1/x'\n")
