"""C{sinks} in a file."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config import load_api_config
from llmproxy.config.sinks import SinkConfig
from llmproxy.errors import ConfigError

API = "default_api: a\napis: {a: {base_url: 'http://a', allowed_endpoints: [/v1], allowed_methods: [POST]}}\n"

ISSUE = """
sinks:
  - {name: log, type: file, path: ./data/events.jsonl}
  - {name: hook, type: http, url: http://127.0.0.1:9000/in, batch: 100, flush_interval: 1s, secret: ${HOOK_SECRET},
     when: {status: ">=400"}}
  - {name: lf, type: langfuse, url: https://cloud.langfuse.com, public_key: ${LF_PK}, secret_key: ${LF_SK}}
  - {name: bus, type: redis-streams, url: redis://localhost:6379/0, stream: llm-proxy-events}
"""
ENV = {"HOOK_SECRET": "s-1", "LF_PK": "pk-1", "LF_SK": "sk-1", "T": "abc"}


class SinkSchemaTests(SynchronousTestCase):
    def read(self, text: str) -> tuple[SinkConfig, ...]:
        path = self.mktemp()
        Path(path).write_text(API + text)
        return load_api_config(path, env=ENV).sinks

    def refused(self, text: str) -> str:
        return str(self.assertRaises(ConfigError, self.read, text))

    def test_as_people_write_it(self) -> None:
        """The settings of all sinks, and beside them those of each type."""
        log, hook, lf, bus = self.read(ISSUE)
        self.assertEqual((log.name, log.type, log.settings), ("log", "file", {"path": "./data/events.jsonl"}))
        self.assertEqual((hook.batch, hook.flush_interval, hook.when), (100, 1.0, {"status": ">=400"}))
        self.assertEqual(hook.settings, {"url": "http://127.0.0.1:9000/in", "secret": "s-1"})
        self.assertEqual((lf.settings["public_key"], lf.settings["secret_key"]), ("pk-1", "sk-1"))
        self.assertEqual(bus.settings["stream"], "llm-proxy-events")

    def test_in_a_program(self) -> None:
        """What was read passes the check of those who make a configuration themselves."""
        path = self.mktemp()
        Path(path).write_text(API + ISSUE)
        load_api_config(path, env=ENV).validate()

    def test_kinds(self) -> None:
        """Lists, nothing, and fields of a header section."""
        [sink] = self.read(
            "sinks: [{name: x, type: http, url: http://x, headers: {Authorization: 'Bearer ${T}', X-A: b},"
            " when: {kind: [audit.*, exchange], model: null, streamed: true}, sample: 0.1, spool: 0}]"
        )
        self.assertEqual(sink.when, {"kind": ["audit.*", "exchange"], "model": None, "streamed": "true"})
        self.assertEqual(sink.settings["headers"], {"Authorization": "Bearer abc", "X-A": "b"})
        self.assertEqual((sink.sample, sink.spool), (0.1, 0))

    def test_wrong(self) -> None:
        """All that is wrong is said with its line, and no secret is shown."""
        for text, why in (
            ("sinks: [{type: file}]", "name is missing"),
            ("sinks: [{name: a}]", "type is missing"),
            ("sinks: [{name: 'a/b', type: file}]", "up to 40 letters"),
            ("sinks: [{name: a, type: file}, {name: a, type: stdout}]", "two sinks have the name 'a'"),
            ("sinks: [{name: a, type: http, secret: canary}]", "sinks[0].secret: expected ${VARIABLE}"),
            ("sinks: [{name: a, type: http, headers: {X-Api-Key: canary}}]", "expected ${VARIABLE} in it"),
            ("sinks: [{name: a, type: x, url: 'redis://u:canary@h/0'}]", "expected a variable where a password"),
            ("sinks: [{name: a, type: file, when: {statsu: 1}}]", "no field 'statsu'"),
            ("sinks: [{name: a, type: file, when: {status: '>=x'}}]", "expected a number behind >="),
            ("sinks: [{name: a, type: file, sample: 2}]", "from 0 to 1"),
            ("sinks: [{name: a, type: file, batch: 0}]", "from 1"),
            ("sinks: [{name: a, type: file, spool: lots}]", "expected a size"),
            ("sinks: {a: 1}", "expected a list"),
            ("sinks: [a]", "expected a mapping"),
        ):
            told = self.refused(text)
            self.assertIn(why, told, text)
            self.assertNotIn("canary", told, text)
