"""What a dispatcher is told to do, by the reference's options and variables or by a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.dispatcher import DispatcherConfig, read_dispatcher
from llmproxy.config.sinks import SinkConfig
from llmproxy.errors import ConfigError

from ..tables import row

FILE = {"DISPATCHER_ENDPOINT": "e.jsonl"}


def unreadable(path: str) -> str:
    raise OSError(2, "No such file or directory")


class DispatcherCase(SynchronousTestCase):
    def read(self, env: Any = None, **options: Any) -> DispatcherConfig:
        return read_dispatcher(options, env or {}, unreadable)

    def sink(self, env: Any = None, **options: Any) -> SinkConfig:
        [sink] = self.read(env, **options).sinks
        return sink

    def problems(self, env: Any = None, **options: Any) -> list[str]:
        return list(self.assertRaises(ConfigError, self.read, env, **options).problems)


class ServiceTests(DispatcherCase):
    def test_file(self) -> None:
        """The reference's default: its lines in a file, synced, five seconds at the most."""
        for env, options in ((FILE, {}), ({}, {"service": "file", "endpoint": "e.jsonl"})):
            with row(env):
                sink = self.sink(env, **options)
                self.assertEqual(sink.settings, {"schema": "legacy-dispatcher", "path": "e.jsonl", "sync": True})
                self.assertEqual((sink.type, sink.batch, sink.flush_interval), ("file", 100, 5.0))
                self.assertEqual(sink.when, {"method": "!=OPTIONS"})
                sink.filter()
        verbose = self.sink({**FILE, "LLM_PROXY_DISPATCHER_VERBOSE": "yes"})
        self.assertTrue(verbose.settings["verbose"])
        self.assertEqual(self.sink(FILE, schema="1").settings["schema"], "1")

    def test_vendors(self) -> None:
        """A key, and another address where one is given; what asked no model is left out, as there."""
        key = {"LLM_PROXY_API_KEY": "k-0123"}
        self.assertEqual(self.sink(key, service="lunary").settings, {"api_key": "k-0123"})
        sink = self.sink({**key, "DISPATCHER_SERVICE": "helicone", "DISPATCHER_ENDPOINT": "http://h/log"})
        self.assertEqual((sink.type, sink.settings), ("helicone", {"api_key": "k-0123", "url": "http://h/log"}))
        self.assertEqual(sink.when, {"method": "POST"})
        legacy = self.sink(service="lunary", api_key="x", schema="legacy")
        self.assertEqual(legacy.settings, {"api_key": "x", "schema": "legacy"})
        keys = {"LANGFUSE_PUBLIC_KEY": "p", "LANGFUSE_SECRET_KEY": "s", "LANGFUSE_HOST": "http://l"}
        expected = {"public_key": "p", "secret_key": "s", "url": "http://l"}
        self.assertEqual(self.sink(keys, service="langfuse").settings, expected)
        self.assertEqual(self.sink(keys, service="langfuse", endpoint="http://m").settings["url"], "http://m")

    def test_numbers(self) -> None:
        """Options stand above variables."""
        env = {**FILE, "DISPATCHER_BUFFER": "7", "DISPATCHER_BATCH_SIZE": "5", "DISPATCHER_MAX_DELIVERIES": "2"}
        found = self.read(env)
        self.assertEqual((found.held, found.sinks[0].batch, found.deliveries), (7, 5, 2))
        found = self.read(env, buffer="9", batch_size="3", max_deliveries="8", flush_interval="250ms")
        self.assertEqual((found.held, found.sinks[0].batch, found.deliveries), (9, 3, 8))
        self.assertEqual(found.sinks[0].flush_interval, 0.25)

    def test_stream(self) -> None:
        """Where events come from: the reference's variables, and options for three of them."""
        found = self.read(
            {**FILE, "REDIS_ADDR": "r:7", "REDIS_DB": "3", "REDIS_PASSWORD": "hush", "REDIS_STREAM_KEY": "s"}
        )
        self.assertEqual((found.location.label, found.location.password), ("redis://r:7/3", "hush"))
        self.assertEqual((found.stream.stream, found.group_of(found.sinks[0])), ("s", "llm-proxy-dispatchers"))
        self.assertNotIn("hush", repr(found))
        found = self.read({**FILE, "REDIS_CONSUMER_GROUP": "g"}, stream="t", group="h", consumer="me")
        self.assertEqual((found.stream.stream, found.stream.group, found.stream.consumer), ("t", "h", "me"))

    def test_listen(self) -> None:
        """Loopback unless another address is said; only what is said has to be there."""
        for env, options, expected in (
            ({}, {}, ("tcp:9105:interface=127.0.0.1", False)),
            ({"DISPATCHER_LISTEN": ":9000"}, {}, ("tcp:9000", True)),
            ({}, {"listen": "off"}, ("", True)),
            ({}, {"listen": "unix:/run/d.sock"}, ("unix:/run/d.sock:mode=600", True)),
        ):
            with row(env, options):
                found = self.read({**FILE, **env}, **options)
                self.assertEqual((found.listen, found.must_listen), expected)

    def test_wrong(self) -> None:
        """Each is named by what was said, with what to do; all at once."""
        for env, options, sentence in (
            ({}, {}, "--endpoint: file plugin requires 'endpoint' configuration (file path)"),
            ({}, {"service": "kafka"}, "--service: unknown plugin: kafka (there are file, stdout, lunary"),
            ({}, {"service": "lunary"}, "--api-key-file: lunary plugin requires an API key, or LLM_PROXY_API_KEY"),
            ({}, {"service": "langfuse"}, "LANGFUSE_PUBLIC_KEY: is required"),
            ({**FILE, "DISPATCHER_BUFFER": "many"}, {}, "DISPATCHER_BUFFER: expected a number"),
            (FILE, {"batch_size": "0"}, "--batch-size: expected a number"),
            (FILE, {"flush_interval": "soon"}, "--flush-interval: "),
            ({**FILE, "REDIS_STREAM_BATCH_SIZE": "x"}, {}, "REDIS_STREAM_BATCH_SIZE: "),
            ({**FILE, "REDIS_ADDR": "a:b"}, {}, "REDIS_ADDR: expected a URL"),
            ({**FILE, "REDIS_URL": "http://x"}, {}, "REDIS_URL: expected a URL"),
            ({**FILE, "LLM_PROXY_EVENT_BUS": "in-memory"}, {}, "LLM_PROXY_EVENT_BUS: events in memory are those of"),
            ({**FILE, "LLM_PROXY_EVENT_BUS": "memory"}, {}, "LLM_PROXY_EVENT_BUS: events in memory are those of"),
            ({**FILE, "LLM_PROXY_EVENT_BUS": "redis"}, {}, "LLM_PROXY_EVENT_BUS: unknown event bus backend: redis"),
            (FILE, {"listen": "nowhere"}, "--listen: expected an address"),
            ({**FILE, "LLM_PROXY_API_KEY_FILE": "/none"}, {}, "LLM_PROXY_API_KEY"),
        ):
            with row(sentence):
                found = self.problems(env, **options)
                self.assertTrue(any(each.startswith(sentence) for each in found), found)
        self.assertEqual(len(self.problems({"REDIS_ADDR": "a:b"}, service="kafka", listen="x")), 3)
        self.read({**FILE, "LLM_PROXY_EVENT_BUS": "redis-streams"})

    def test_detach(self) -> None:
        """What does nothing says so."""
        self.assertIn("does nothing", self.read(FILE, detach=True).warnings[0])
        self.assertEqual(self.read({**FILE, "DISPATCHER_DETACH": "false"}).warnings, ())

    def test_no_secret_is_shown(self) -> None:
        """A key stands in no representation."""
        found = self.read({"LLM_PROXY_API_KEY": "k-0123456789"}, service="lunary")
        self.assertNotIn("k-0123456789", repr(found))
        self.assertIn("k-0123456789", found.secrets)


class FileTests(DispatcherCase):
    def write(self, text: str) -> str:
        path = self.mktemp()
        Path(path).write_text(text)
        return path

    def of(self, text: str, env: Any = None, **options: Any) -> DispatcherConfig:
        return self.read(env, config=self.write(text), **options)

    def test_sinks(self) -> None:
        """The sinks of a file, with the keys that they have in the proxy's."""
        found = self.of(
            "sinks:\n"
            "  - {name: log, type: file, path: e.jsonl, batch: 7, when: {status: '>=400'}}\n"
            "  - {name: lf, type: langfuse, public_key: ${LF_PK}, secret_key: ${LF_SK}}\n",
            {"LF_PK": "p", "LF_SK": "s"},
        )
        self.assertEqual([each.name for each in found.sinks], ["log", "lf"])
        self.assertEqual((found.sinks[0].batch, found.sinks[1].settings["secret_key"]), (7, "s"))
        self.assertEqual(
            [found.group_of(each) for each in found.sinks],
            [
                "llm-proxy-dispatchers-log",
                "llm-proxy-dispatchers-lf",
            ],
        )

    def test_bus(self) -> None:
        """The stream of the file is where events come from; it may be the proxy's own file."""
        text = (
            "default_api: a\n"
            "apis: {a: {base_url: http://a, allowed_endpoints: [/v1], allowed_methods: [GET]}}\n"
            "sinks:\n"
            "  - {name: bus, type: redis-streams, url: redis://r:7/2, stream: s}\n"
            "  - {name: log, type: stdout}\n"
        )
        found = self.of(text)
        self.assertEqual(([each.name for each in found.sinks], found.location.label), (["log"], "redis://r:7/2"))
        self.assertEqual((found.stream.stream, found.group_of(found.sinks[0])), ("s", "llm-proxy-dispatchers"))
        found = self.of(text, {"REDIS_URL": "redis://r:7/2"})
        self.assertEqual((found.stream.stream, [each.name for each in found.sinks]), ("s", ["log"]))
        found = self.of(text, {"REDIS_ADDR": "other:1"})
        self.assertEqual((found.location.label, len(found.sinks)), ("redis://other:1/0", 2))
        found = self.of(text, stream="t")
        self.assertEqual((found.stream.stream, [each.name for each in found.sinks]), ("t", ["bus", "log"]))

    def test_only_a_bus(self) -> None:
        """What comes from a stream does not go there again."""
        for env in ({}, {"REDIS_URL": "redis://localhost:6379/0"}):
            with row(env):
                [problem] = self.problems(env, config=self.write("sinks: [{name: bus, type: redis-streams}]\n"))
                self.assertIn("sinks: there is none but the stream that is read", problem)

    def test_wrong(self) -> None:
        """What is wrong in the file is said with its line; an option of a service has no place beside it."""
        path = self.write("sinks:\n  - {name: log}\nsink: []\n")
        found = self.problems(config=path)
        self.assertTrue(any(each.startswith(f"{path}:2:5: sinks[0]: type is missing") for each in found), found)
        self.assertTrue(any("unknown key 'sink', did you mean 'sinks'?" in each for each in found), found)
        [missing] = self.problems(config=self.write("limits: {}\n"))
        self.assertIn("sinks are missing: sinks: [{name: log, type: file", missing)
        [beside] = self.problems(config=self.write("sinks: [{name: log, type: stdout}]\n"), service="file")
        self.assertEqual(beside, "--service: is said of each sink in the file, and not beside --config")
        [gone] = self.problems(config="/none/such.yaml")
        self.assertIn("cannot be read", gone)

    def test_directory(self) -> None:
        """Dead letters are where --directory says, unless a sink says it itself."""
        found = self.of("sinks: [{name: a, type: stdout}, {name: b, type: stdout, directory: /x}]\n", directory="/y")
        self.assertEqual([each.directory for each in found.sinks], ["/y", "/x"])
        self.assertEqual(self.sink(FILE, directory="/y").directory, "/y")

    def test_values(self) -> None:
        """Configurations are values."""
        found = self.read(FILE)
        self.assertEqual(evolve(found), found)
