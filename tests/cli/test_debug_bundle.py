"""C{llmproxy debug-bundle}."""

from __future__ import annotations

import os
import stat
import tarfile
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli import debug_bundle
from llmproxy.cli.debug_bundle import address_of, command
from llmproxy.doctor.subject import Subject

from ..tables import row

TOKEN = "f3Kq9-vXw2Zr7Lm1Tn8Bc4Dg6Hj5Ps0Y"
FILE = "default_api: a\napis: {a: {base_url: 'http://a', allowed_endpoints: [/v1], allowed_methods: [POST]}}\n"


class BundleTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory)

    def file(self, name: str, text: str = "") -> str:
        path = os.path.join(self.directory, name)
        if text:
            Path(path).write_text(text)
        return path

    def bundle(self, *options: str, **env: str | None) -> Result:
        config, database = self.file("apis.yaml", FILE), f"sqlite:///{self.directory}/d.db"
        known = ("--config", config, "--database", database, "--offline", "--listen", "127.0.0.1:1")
        given = {"MANAGEMENT_TOKEN": TOKEN, "MANAGE_API_BASE_URL": None, **env}
        return CliRunner().invoke(command, [*known, *options], env=given)

    def test_written(self) -> None:
        """One file, for its owner alone, that nothing is overwritten by."""
        path = self.file("b.tar.gz")
        result = self.bundle("-o", path, "--no-proxy")
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertIn(f"{path}: 7 files, no secret in them", result.output)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        with tarfile.open(path) as archive:
            for each in archive:
                content = archive.extractfile(each)
                assert content is not None
                self.assertNotIn(TOKEN.encode(), content.read())
        before = Path(path).read_bytes()
        result = self.bundle("-o", path, "--no-proxy")
        self.assertEqual(result.exit_code, 6)
        self.assertIn("exists", result.output)
        self.assertEqual(Path(path).read_bytes(), before)

    def test_cannot_be_written(self) -> None:
        result = self.bundle("-o", f"{self.directory}/none/b.tar.gz", "--no-proxy")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("cannot be written: No such file", result.output)

    def test_printed(self) -> None:
        """All of it, and no file."""
        log = self.file("server.log", f"token {TOKEN} from 203.0.113.7\nlast\n")
        result = self.bundle("--print", "--no-proxy", "--log", log)
        self.assertEqual(result.exit_code, 0, result.output)
        for words in (
            "==> README.txt <==",
            "==> doctor.json <==",
            "==> logs/server.log <==",
            "[masked] from [address]",
        ):
            self.assertIn(words, result.output)
        self.assertNotIn(TOKEN, result.output)
        self.assertEqual(sorted(os.listdir(self.directory)), ["apis.yaml", "server.log"])

    def test_proxy_away(self) -> None:
        """A proxy that does not run is no reason for none: that it does not is in it."""
        result = self.bundle("--print")
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertIn("Connection refused", result.output)

    def test_use(self) -> None:
        """A log that is not there, and a token that would go over a network in clear."""
        self.assertIn("none.log: cannot be read", self.bundle("--print", "--log", self.file("none.log")).output)
        result = self.bundle("--print", "--manage-api-base-url", "http://proxy.example:8080")
        self.assertEqual(result.exit_code, 2)
        self.assertIn("by https:// only", result.output)

    def test_leak(self) -> None:
        """Where a secret slips through, nothing is written, and it is not shown either."""
        self.patch(debug_bundle, "_end_of", lambda path: "x")
        from llmproxy.doctor import bundle

        self.patch(bundle, "cleaned", lambda value, clean: value)
        self.patch(bundle, "versions", lambda: {"it": TOKEN})
        path = self.file("b.tar.gz")
        result = self.bundle("-o", path, "--no-proxy")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("nothing was written", result.output)
        self.assertIn("versions.json", result.output)
        self.assertNotIn(TOKEN, result.output)
        self.assertFalse(os.path.exists(path))

    def test_large_log(self) -> None:
        """The end of it."""
        log = self.file("server.log", "first line\n" + "x" * 79 + "\n" * 1 + ("y" * 79 + "\n") * 20000 + "last line\n")
        output = self.bundle("--print", "--no-proxy", "--log", log).output
        self.assertIn("last line", output)
        self.assertNotIn("first line", output)

    def test_address(self) -> None:
        """Where the proxy of a configuration is, on this machine and without TLS; else nobody is asked by itself."""
        for listen, manage, expected in (
            (("tcp:8080",), (), "http://127.0.0.1:8080"),
            (("tcp:8080:interface=0.0.0.0",), (), "http://127.0.0.1:8080"),
            (("tcp:8080",), ("tcp:9000:interface=127.0.0.1",), "http://127.0.0.1:9000"),
            (("tcp6:8080:interface=\\:\\:",), (), "http://[::1]:8080"),
            (("tcp6:8080:interface=\\:\\:1",), (), "http://[::1]:8080"),
            (("tcp:8080",), ("unix:/run/m.sock:mode=600",), "unix:/run/m.sock"),
            (("tcp:8080:interface=192.0.2.1",), (), ""),
            (("tls:8443",), (), ""),
            (("tcp:0",), (), ""),
            (("tcp:8080",), ("tls:9000",), ""),
        ):
            settings: Any = type("S", (), {"listen": listen, "manage_listen": manage})()
            with row(listen, manage):
                self.assertEqual(address_of(Subject({}, {}, settings=settings)), expected)
        self.assertEqual(address_of(Subject({}, {})), "")
