"""What is imported when: counts, not times. Whoever embeds the proxy pays for what he uses, and chooses the reactor."""

from __future__ import annotations

import os
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.proxied import CONFIG

ROOT = Path(__file__).resolve().parent.parent

HEAVY = (
    "sqlalchemy",
    "alembic",
    "cryptography",
    "OpenSSL",
    "rich",
    "click",
    "jinja2",
    "prometheus_client",
    "joserfc",
    "txredisapi",
)
"""Each costs 10 to 300 ms, or megabytes, and is for a part that may not be used."""

MOST_OF_THE_PACKAGE = 3
"""Modules that C{import llmproxy} may load: none but itself, today (1)."""

MOST_OF_TAP = 380 if sys.version_info < (3, 12) else 384
"""The same for what twistd asks for options; Twisted's own are most of them. Later Pythons have more in the library."""

AT_REST = (
    "llmproxy.app.events",
    "llmproxy.core.events.event",
    "llmproxy.sinks.eventqueue",
    "alembic",
    "mako",
    "sqlalchemy.orm",
    "sqlalchemy.ext",
    "psycopg",
    "pymysql",
    "txredisapi",
    "hiredis",
    "prometheus_client",
    "click",
    "rich",
    "multiprocessing",
    "twisted.conch",
    "twisted.mail",
    "twisted.names",
    "twisted.trial",
    "twisted.words",
    "unittest",
    "pdb",
    "pytest",
    "hypothesis",
    "openai",
    "anthropic",
    "opentelemetry",
    "requests",
    "google",
    "llmproxy.core.telemetry.spans",
    "llmproxy.sinks.otlp",
    "llmproxy.upstream.http2",
    "llmproxy.core.http2",
)
"""What a proxy that serves with its defaults has not loaded: each is for a part, a database or a command of its own."""

IN_A_PARENT = (
    *AT_REST,
    "treq",
    "sqlalchemy",
    "httptools",
    "llmproxy.app.proxy",
    "llmproxy.web.site",
    "llmproxy.store",
)
"""What the parent of workers has not loaded, which serves nothing itself."""

STARTED = """
import sys
from twisted.internet import reactor
from llmproxy import tap

options = tap.Options()
options.parseOptions(["--config", "apis.yaml", "--database", "sqlite:///llmproxy.db", "--access-log", "access.log"])
found = tap.service_options(options, {env!r})
parent = tap.make_service(reactor, found, 2)
in_a_parent = [name for name in {in_a_parent!r} if name in sys.modules]
service = tap.make_service(reactor, found, 1)
service.proxy.started.addBoth(lambda _: reactor.stop())
reactor.callWhenRunning(service.proxy.startService)
reactor.addSystemEventTrigger("before", "shutdown", service.proxy.stopService)
reactor.run()
print(service.proxy.started.called, in_a_parent, [name for name in {at_rest!r} if name in sys.modules])
"""

SCRIPT = """
import sys
before = set(sys.modules)
import {name}
new = set(sys.modules) - before
heavy = sorted(name for name in {heavy!r} if name in sys.modules)
print(len(new), "twisted.internet.reactor" in sys.modules, *heavy)
"""


def imported(name: str) -> tuple[int, str, list[str]]:
    """How many modules it loads, whether there is a reactor then, and which of the heavy ones are."""
    script = SCRIPT.format(name=name, heavy=HEAVY)
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    count, reactor, *heavy = ended.stdout.split()
    return int(count), reactor, heavy


class StartedTests(SynchronousTestCase):
    def test_at_rest(self) -> None:
        """A proxy that serves, with a database that is new and with one that is there, has loaded what it uses."""
        directory = self.mktemp()
        Path(directory).mkdir()
        Path(directory, "apis.yaml").write_text(CONFIG.format(port=9))
        env = {"MANAGEMENT_TOKEN": "3f9c1e7ab4d2068f5e93c7a1b0d4f682", "ENCRYPTION_KEY": b64encode(bytes(32)).decode()}
        script = STARTED.format(env=env, in_a_parent=IN_A_PARENT, at_rest=AT_REST)
        for _start in range(2):
            ended = subprocess.run(
                [sys.executable, "-c", script],
                cwd=directory,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                check=True,
            )
            self.assertEqual((ended.stdout, ended.stderr), ("True [] []\n", ""))


class ImportTests(SynchronousTestCase):
    def test_package(self) -> None:
        """`import llmproxy` is next to nothing."""
        count, reactor, heavy = imported("llmproxy")
        self.assertLessEqual(count, MOST_OF_THE_PACKAGE)
        self.assertEqual((reactor, heavy), ("False", []))

    def test_tap(self) -> None:
        """What twistd imports to show the options loads no database, no TLS, and no reactor."""
        count, reactor, heavy = imported("llmproxy.tap")
        self.assertLessEqual(count, MOST_OF_TAP)
        self.assertEqual((reactor, heavy), ("False", []))

    def test_service(self) -> None:
        """An embedder's process loads a database when it opens one, Redis if it is asked for."""
        _, reactor, heavy = imported("llmproxy.service")
        self.assertEqual(reactor, "False")
        # Twisted's web client brings TLS with it.
        self.assertEqual(set(heavy) - {"cryptography", "OpenSSL"}, set())

    def test_commands(self) -> None:
        """`llmproxy --help` loads no command, no Twisted, and nothing of the rest."""
        _, reactor, heavy = imported("llmproxy.cli.main")
        self.assertEqual((reactor, heavy), ("False", ["click"]))
