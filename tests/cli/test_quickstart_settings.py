"""What C{llmproxy quickstart} runs with."""

from __future__ import annotations

import os
from pathlib import Path

from click import UsageError
from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.datadirectory import DataDirectory
from llmproxy.cli.doctor import command
from llmproxy.cli.quickstart_settings import DATABASE, apis_of, endpoint, settings_of, subject_of_quickstart
from llmproxy.errors import ConfigError


class ApisTests(SynchronousTestCase):
    def test_real(self) -> None:
        """With a key of OpenAI's that is the only API, since a project has one key."""
        config = apis_of("https://api.openai.com", demo=False)
        self.assertEqual((list(config.apis), config.default_api), (["openai"], "openai"))

    def test_demo(self) -> None:
        """Without one the demo answers in Anthropic's shape too, with the key where Anthropic's SDK puts it."""
        config = apis_of("http://127.0.0.1:9", demo=True)
        self.assertEqual(list(config.apis), ["openai", "anthropic"])
        self.assertEqual(config.apis["anthropic"].auth.name, b"x-api-key")
        config.validate()

    def test_addresses(self) -> None:
        """An IPv6 address gets its brackets; what is no address is an error that names the option."""
        self.assertEqual(endpoint("::1", 8080), "tcp6:8080:interface=\\:\\:1")
        self.assertEqual(endpoint("127.0.0.1", 0), "tcp:0:interface=127.0.0.1")
        self.assertIn("--host: ", str(self.assertRaises(ConfigError, endpoint, "example.com", 1)))


class ExaminedTests(SynchronousTestCase):
    """What L{llmproxy.cli.doctor} is given of a quickstart."""

    def setUp(self) -> None:
        self.data = DataDirectory(os.path.abspath(self.mktemp()))
        self.data.make()

    def started(self, upstream: str = "http://127.0.0.1:9") -> None:
        settings_of(self.data, apis_of(upstream, demo=True), [])
        Path(self.data.file(DATABASE)).touch(0o600)
        self.data.keep("address", "http://127.0.0.1:39765")
        self.data.keep("upstream", upstream)

    def test_as_it_ran(self) -> None:
        """Its APIs, its address, its secrets; a demo that ends with it is not asked."""
        self.started()
        subject = subject_of_quickstart(self.data.path, {"OPENAI_API_KEY": "sk-1", "MANAGEMENT_TOKEN": "x"})
        assert subject.settings is not None and subject.apis is not None
        self.assertEqual(list(subject.settings.listen), ["tcp:39765:interface=127.0.0.1"])
        self.assertEqual(subject.settings.management_token, self.data.read("management-token"))
        self.assertEqual((subject.problems, list(subject.env), subject.offline), ((), ["OPENAI_API_KEY"], True))
        self.data.keep("upstream", "https://api.openai.com")
        subject = subject_of_quickstart(self.data.path, {})
        assert subject.apis is not None
        self.assertEqual((list(subject.apis.apis), subject.offline), (["openai"], False))

    def test_nothing_is_made(self) -> None:
        """Secrets that are not there, or empty, are a problem that is named, and stay so; so is what is no address."""
        self.started()
        os.unlink(self.data.file("encryption-key"))
        self.data.keep("management-token", "")
        before = sorted(os.listdir(self.data.path))
        subject = subject_of_quickstart(self.data.path, {})
        named = [os.path.basename(each.partition(":")[0]) for each in subject.problems]
        self.assertEqual(named, ["management-token", "encryption-key"])
        self.assertEqual(sorted(os.listdir(self.data.path)), before)
        self.data.keep("address", "http://example.com:1")
        self.assertIn("--host", subject_of_quickstart(self.data.path, {}).problems[0])

    def test_none(self) -> None:
        """A directory of something else is an error of use."""
        self.assertIn(
            "has not been started", str(self.assertRaises(UsageError, subject_of_quickstart, self.data.path, {}))
        )

    def test_doctor(self) -> None:
        """C{--data} has it looked at; beside options of another configuration it is refused."""
        self.started()
        checks = ("--check", "configuration", "--check", "database")
        result = CliRunner().invoke(command, ["--data", self.data.path, *checks])
        self.assertIn(f"{self.data.path}: serves openai at /, and anthropic below their names", result.output)
        self.assertNotIn("fault", result.output)
        self.assertNotIn(self.data.read("management-token"), result.output)
        result = CliRunner().invoke(command, ["--data", self.data.path, "--config", "apis.yaml"])
        self.assertEqual(result.exit_code, 2)
        self.assertIn("--data and --config", result.output)

    def test_found(self) -> None:
        """Where nothing says another configuration, that of the directory is looked at, as other commands do."""
        runner = CliRunner()
        with runner.isolated_filesystem():
            self.data = DataDirectory("llmproxy-data")
            self.data.make()
            self.started()
            result = runner.invoke(command, ["--check", "configuration"])
            self.assertIn("./llmproxy-data: serves openai", result.output)
            result = runner.invoke(command, ["--check", "configuration"], env={"API_CONFIG_PATH": "other.yaml"})
            self.assertIn("other.yaml: the file of the APIs is not there", result.output)
