"""The options of C{twistd llmproxy}."""

from __future__ import annotations

import contextlib
import io
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.variables import EFFECTIVE
from llmproxy.errors import ConfigError
from llmproxy.tap import Options, service_options
from tests.integration.certificates import Authority

EXAMPLE = str(Path(__file__).parents[1] / "config" / "apis.yaml")
ENV = {"MANAGEMENT_TOKEN": "3f9c1e7ab4d2068f5e93c7a1b0d4f682", "ENCRYPTION_KEY": b64encode(bytes(32)).decode()}


def parse(*arguments: str) -> Options:
    options = Options()
    options.parseOptions(list(arguments))
    return options


class OptionsTests(SynchronousTestCase):
    def test_plugin(self) -> None:
        """twistd finds us, and knows where to look for the rest."""
        (maker,) = [plugin for plugin in getPlugins(IServiceMaker) if plugin.tapname == "llmproxy"]
        self.assertIs(maker.options, Options)

    def test_help_tells_everything(self) -> None:
        """Every option, every variable and examples are in the help."""
        usage = Options().getUsage()
        for text in (
            *EFFECTIVE,
            "--config",
            "--listen",
            "--manage-listen",
            "--database",
            "--drain",
            "--env",
            "--access-log",
            "Examples:",
        ):
            self.assertIn(text, usage)

    def test_drain(self) -> None:
        """Seconds, or a duration; what is neither is an error of use."""
        self.assertEqual((parse()["drain"], parse("--drain", "1m")["drain"]), (30.0, 60.0))
        self.assertRaises(UsageError, parse, "--drain", "long")


class SettingsTests(SynchronousTestCase):
    def make(self, *arguments: str, **env: str) -> Any:
        self.stderr = io.StringIO()
        with contextlib.redirect_stderr(self.stderr):
            return service_options(parse(*arguments), ENV | env)

    def test_from_the_command_line(self) -> None:
        """What is said on the command line stands above the environment."""
        made = self.make(
            *("--config", EXAMPLE, "--listen", "tcp:1", "--listen", "unix:/x", "--database", "sqlite:///y"),
            *("--default-api", "groq", "--access-log", "z.log"),
            LISTEN_ADDR=":9",
            DATABASE_PATH="n",
            DEFAULT_API_PROVIDER="openai",
            LOG_FILE="n",
        )
        self.assertEqual((made.listen, made.database_url), (("tcp:1", "unix:/x"), "sqlite:///y"))
        self.assertEqual((made.apis.default_api, made.access_log), ("groq", "z.log"))
        self.assertEqual(self.stderr.getvalue(), "")

    def test_addresses(self) -> None:
        """--listen takes what LISTEN_ADDR takes; what is neither is told with everything else."""
        made = self.make("--config", EXAMPLE, "--listen", "[::1]:8080", "--listen", "tcp:1")
        self.assertEqual(made.listen, ("tcp6:8080:interface=\\:\\:1", "tcp:1"))
        error = self.assertRaises(ConfigError, self.make, "--config", EXAMPLE, "--listen", "8080")
        self.assertIn("--listen: expected an address", str(error))

    def test_management(self) -> None:
        """Management can be somewhere else: as often as one likes, and, on a Unix socket, for its owner alone."""
        made = self.make("--config", EXAMPLE, "--manage-listen", "unix:/m", "--manage-listen", "localhost:9")
        self.assertEqual(made.manage_listen, ("unix:/m:mode=600", "tcp:9:interface=127.0.0.1"))
        self.assertEqual([option for option, _ in made.listeners], ["--listen", "--manage-listen", "--manage-listen"])
        made = self.make("--config", EXAMPLE, MANAGE_LISTEN_ADDR="unix:/n")
        self.assertEqual(made.manage_listen, ("unix:/n:mode=600",))
        self.assertEqual(self.make("--config", EXAMPLE).manage_listen, ())
        error = self.assertRaises(ConfigError, self.make, "--config", EXAMPLE, "--manage-listen", "9000")
        self.assertIn("--manage-listen: expected an address", str(error))

    def test_tls(self) -> None:
        """TLS of the environment is that of LISTEN_ADDR; what --listen then serves in clear is said."""
        certificate, key = Authority(self.mktemp()).issue("localhost")
        tls = {"ENABLE_TLS": "true", "TLS_CERT_FILE": certificate, "TLS_KEY_FILE": key}
        (listen,) = self.make("--config", EXAMPLE, **tls).listen
        self.assertTrue(listen.startswith("ssl:8080:"), listen)
        self.make("--config", EXAMPLE, "--listen", ":9", "--listen", "unix:/x", **tls)
        self.assertIn("warning: --listen tcp:9 speaks plain HTTP", self.stderr.getvalue())
        self.assertEqual(self.stderr.getvalue().count("\n"), 1)

    def test_logs(self) -> None:
        """LOG_LEVEL is of both logs; LOG_FORMAT of the server log only where it is set; so is the form of a warning."""
        made = self.make("--config", EXAMPLE)
        self.assertEqual((made.log_level, made.log_format, made.server_log_format), ("info", "json", "text"))
        made = self.make("--config", EXAMPLE, LOG_LEVEL="warn", LOG_FORMAT="JSON", MANAGEMENT_TOKEN="qwe")
        self.assertEqual((made.log_level, made.log_format, made.server_log_format), ("warn", "json", "json"))
        self.assertIn("is weak", json.loads(self.stderr.getvalue())["message"])
        self.assertEqual(self.make("--config", EXAMPLE, LOG_FORMAT="text").server_log_format, "text")
        self.assertEqual(made.masking().text("qwe and 3f9c1e7a"), "qwe and 3f9c1e7a")

    def test_audit_file(self) -> None:
        """It is the database's own, whichever way that is named, unless somebody names another."""
        for options, env, file in (
            ((), {}, "./data/audit.log"),
            ((), {"DATABASE_PATH": "d.db"}, "d.db.audit.log"),
            (("--database", "sqlite:///e.db"), {"DATABASE_PATH": "d.db"}, "e.db.audit.log"),
            (("--database", "sqlite:///e.db"), {"AUDIT_LOG_FILE": "mine.log"}, "mine.log"),
            ((), {"AUDIT_LOG_FILE": "none", "DATABASE_PATH": "d.db"}, None),
        ):
            self.assertEqual(self.make("--config", EXAMPLE, *options, **env).audit.file, file, (options, env, file))
        self.assertIsNone(self.make("--config", EXAMPLE, AUDIT_ENABLED="false").audit)

    def test_metrics_token(self) -> None:
        """It reaches the service, and no text of the options."""
        made = self.make("--config", EXAMPLE, METRICS_TOKEN="scrape-c4n4ry-0123-xyzw")
        self.assertEqual(made.metrics_token, "scrape-c4n4ry-0123-xyzw")
        self.assertNotIn("c4n4ry", repr(made))

    def test_from_the_environment(self) -> None:
        """Without options the variables of the reference do it all."""
        made = self.make(
            API_CONFIG_PATH=EXAMPLE, LISTEN_ADDR=":9", DATABASE_PATH="d.db", DEFAULT_API_PROVIDER="groq", LOG_FILE="l"
        )
        self.assertEqual((made.listen, made.database_url), (("tcp:9",), "sqlite:///d.db"))
        self.assertEqual((made.apis.default_api, made.access_log), ("groq", "l"))
        self.assertEqual((made.management_token, made.encryption_key), (ENV["MANAGEMENT_TOKEN"], bytes(32)))

    def test_from_a_file(self) -> None:
        """--env sets what is not set."""
        path = self.mktemp()
        Path(path).write_text(f"API_CONFIG_PATH={EXAMPLE}\nMANAGEMENT_TOKEN=from-the-file-not-used\n")
        made = self.make("--env", path)
        self.assertEqual(made.management_token, ENV["MANAGEMENT_TOKEN"])
        self.assertEqual(made.apis.default_api, "openai")

    def test_sinks(self) -> None:
        """Variables of the reference stand for sinks, behind those of the file; --file-event-log for one of them."""
        path = self.mktemp()
        api = "{base_url: http://a, allowed_endpoints: [/v1], allowed_methods: [GET]}"
        Path(path).write_text(f"default_api: a\napis: {{a: {api}}}\nsinks: [{{name: out, type: stdout}}]\n")
        bus = {"LLM_PROXY_EVENT_BUS": "redis-streams", "REDIS_STREAM_KEY": "s"}
        made = self.make("--config", path, "--file-event-log", "e.jsonl", FILE_EVENT_LOG="other", **bus)
        self.assertEqual([each.name for each in made.apis.sinks], ["out", "bus", "file-event-log"])
        self.assertEqual([each.settings.get("stream") for each in made.apis.sinks], [None, "s", None])
        self.assertEqual(made.apis.sinks[2].settings["path"], "e.jsonl")
        Path(path).write_text(f"default_api: a\napis: {{a: {api}}}\nsinks: [{{name: bus, type: stdout}}]\n")
        error = self.assertRaises(ConfigError, self.make, "--config", path, **bus)
        self.assertIn("LLM_PROXY_EVENT_BUS", str(error))
        error = self.assertRaises(ConfigError, self.make, "--config", path, LLM_PROXY_EVENT_BUS="redis")
        self.assertIn("unknown event bus backend: redis", str(error))

    def test_request_timeout(self) -> None:
        """REQUEST_TIMEOUT limits the APIs that have no limit of their own."""
        path = self.mktemp()
        one = "{{base_url: http://a, allowed_endpoints: [/v1], allowed_methods: [GET]{}}}"
        more = ", timeouts: {request: 5s}"
        Path(path).write_text(f"default_api: a\napis:\n  a: {one.format('')}\n  b: {one.format(more)}\n")
        made = self.make("--config", path, REQUEST_TIMEOUT="90s")
        self.assertEqual([api.timeouts.request for api in made.apis.apis.values()], [90.0, 5.0])

    def test_all_problems_at_once(self) -> None:
        """What is wrong with the environment and with the file is told together."""
        path = self.mktemp()
        Path(path).write_text("apis: {}\n")
        error = self.assertRaises(ConfigError, self.make, "--config", path, MANAGEMENT_TOKEN="", LOG_LEVEL="loud")
        told = "\n".join(error.problems)
        for part in ("MANAGEMENT_TOKEN: is required", "LOG_LEVEL: expected one of", "no API providers configured"):
            self.assertIn(part, told)

    def test_no_configuration_no_proxy(self) -> None:
        """A missing file never starts a permissive proxy; the message names the file that was looked for."""
        error = self.assertRaises(ConfigError, self.make)
        self.assertIn("./config/api_providers.yaml: cannot be read", str(error))

    def test_warnings(self) -> None:
        """What is ineffective or weak is told once, on stderr."""
        self.make("--config", EXAMPLE, ENCRYPTION_KEY="", REDIS_ADDR="x")
        self.assertEqual(len(self.stderr.getvalue().splitlines()), 2)

    def test_no_secret_is_shown(self) -> None:
        """The options of the service can be printed."""
        made = self.make("--config", EXAMPLE, "--database", "postgresql://u:s3cret@h/d")
        for secret in (*ENV.values(), "s3cret", repr(bytes(32))):
            self.assertNotIn(secret, repr(made))
