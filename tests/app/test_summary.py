"""What a process says at its start."""

from __future__ import annotations

import os
from typing import Any

from attrs import evolve
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from llmproxy import __version__
from llmproxy.app.settings import Settings
from llmproxy.app.summary import SHOWN, log_summary, summary
from llmproxy.config import APIConfig, APIProviderConfig, CacheConfig
from llmproxy.config.redis import RedisConfig
from llmproxy.config.sinks import SinkConfig
from llmproxy.core.audit.settings import AuditOptions
from llmproxy.core.ledger.settings import LedgerOptions
from tests.integration.certificates import Authority
from tests.tables import row

HERE = IPv4Address("TCP", "127.0.0.1", 8080)


def an_api(**changes: Any) -> APIProviderConfig:
    values = {"base_url": "https://a.example", "allowed_endpoints": ["/v1"], "allowed_methods": ["GET"], **changes}
    return APIProviderConfig(**values)  # type: ignore[arg-type]


def options(**changes: Any) -> Settings:
    values: dict[str, Any] = {
        "apis": APIConfig({"a": an_api(), "b": an_api(cache=CacheConfig(False))}, "a"),
        "management_token": "management-canary",
        "metrics_token": "metrics-canary",
        "encryption_key": bytes(32),
        "database_url": "postgresql://user:password-canary@db.example:5432/llm?sslmode=require",
        "listen": ["tcp:8080:interface=127.0.0.1"],
    }
    return Settings(**{**values, **changes})


class SummaryTests(SynchronousTestCase):
    def said(self, ports: Any = (HERE,), workers: Any = (), **changes: Any) -> dict[str, str]:
        """What is said, by what it is about."""
        lines = summary(options(**changes), ports, workers)
        self.assertNotIn("canary", "\n".join(lines))
        self.assertEqual([line for line in lines if "\n" in line], [])
        return {line.partition(" ")[0].rstrip(":"): line.partition(": ")[2] or line for line in lines}

    def test_sinks(self) -> None:
        """Where events go, by name and type, and nothing of their settings."""
        sink = SinkConfig("hook", "http", settings={"url": "https://x.example/?token=canary"})
        apis = evolve(options().apis, sinks=(sink,))
        self.assertEqual(self.said(apis=apis)["events"], "hook (http)")

    def test_a_line_each(self) -> None:
        """Version, APIs, listeners, TLS, database, ledger, cache, audit log, workers; and no secret."""
        said = self.said()
        self.assertEqual(
            list(said),
            ["llmproxy", "APIs", "listening", "TLS", "database", "ledger", "cache", "limits", "audit", "workers"],
        )
        self.assertIn(__version__, said["llmproxy"])
        self.assertEqual(said["APIs"], "a (default) at https://a.example, b at https://a.example")
        place = "http://127.0.0.1:8080 (the proxy, management at /manage, metrics at /metrics)"
        self.assertEqual(said["listening"], place)
        self.assertEqual(said["TLS"], "none, clients are served in clear")
        self.assertEqual(said["database"], "postgresql://db.example:5432/llm; the keys of providers are encrypted")
        self.assertEqual(said["ledger"], "./data/ledger")
        self.assertEqual(said["cache"], "256 MiB in memory, for a")
        leased = "counted in the memory of this machine, budgets by leases in the database"
        self.assertEqual(said["limits"], leased)
        self.assertEqual((said["audit"], said["workers"]), ("off", "1 (this process)"))

    def test_pages(self) -> None:
        """Pages for people are said where they are."""
        self.assertIn("management at /manage, pages at /admin", self.said(admin_ui=True)["listening"])

    def test_limits(self) -> None:
        """Where they are counted, without credentials."""
        apis = evolve(options().apis, redis=RedisConfig("redis://:canary@redis.example/2"))
        self.assertEqual(self.said(apis=apis)["limits"], "counted in redis://redis.example:6379/2")

    def test_ledger(self) -> None:
        """Where records wait for the database, if there are any."""
        apis = options().apis
        off = evolve(apis, ledger=LedgerOptions(False))
        for changes, wanted in (
            ({"database_url": "sqlite:////var/lib/llm.db"}, "/var/lib/ledger"),
            ({"database_url": ":memory:"}, "in memory, as the database"),
            ({"database_url": ""}, "off, exchanges leave no records"),
            ({"apis": off}, "off, exchanges leave no records"),
        ):
            with row(changes):
                self.assertEqual(self.said(**changes)["ledger"], wanted)

    def test_listeners(self) -> None:
        """Each with what is served there, as a client writes it."""
        ports = (IPv6Address("TCP", "::1", 80), UNIXAddress("/run/m.sock"))
        said = self.said(ports, listen=["tcp6:80"], manage_listen=["unix:/run/m.sock:mode=600"], metrics_path=None)
        self.assertEqual(said["listening"], "http://[::1]:80 (the proxy); unix:/run/m.sock (management at /manage)")

    def test_tls(self) -> None:
        """The certificate, and until when it is good; what cannot be read is no reason not to serve."""
        certificate, key = Authority(self.mktemp()).issue("localhost")
        listen = [f"ssl:8080:interface=127.0.0.1:privateKey={key}:certKey={certificate}"]
        tls = self.said(listen=listen)["TLS"]
        self.assertRegex(tls, rf"^https://127\.0\.0\.1:8080 with {certificate}, good until \d{{4}}-\d\d-\d\d$")
        self.assertIn("with /none", self.said(listen=["ssl:8080:privateKey=/none"])["TLS"])

    def test_places(self) -> None:
        """Where things are kept."""
        for url, shown in (("sqlite:///x.db", "SQLite, x.db"), ("sqlite:////var/x.db", "SQLite, /var/x.db"),
                           ("x.db", "SQLite, x.db"), ("sqlite://", "SQLite, in memory")):  # fmt: skip
            self.assertTrue(self.said(database_url=url)["database"].startswith(shown + ";"), url)
        self.assertIn("NOT encrypted", self.said(encryption_key=None)["database"])
        audit = AuditOptions(file="/var/audit.log")
        self.assertEqual(self.said(audit=audit)["audit"], "/var/audit.log and the database")
        self.assertEqual(self.said(audit=evolve(audit, file=None, in_database=False))["audit"], "off")
        self.assertEqual(self.said(workers=[12, 13])["workers"], "2 (processes 12, 13)")

    def test_many(self) -> None:
        """A hundred APIs do not make a page."""
        apis = APIConfig({f"a{number}": an_api() for number in range(100)}, "a0")
        self.assertIn(f"and {100 - SHOWN} more", self.said(apis=apis)["APIs"])

    def test_logged(self) -> None:
        """Braces of a name are no format."""
        lines: list[str] = []
        log_summary(lambda form, **values: lines.append(form.format(**values)), options(database_url="{x}.db"), [HERE])
        self.assertIn(str(os.getpid()), lines[0])
        self.assertIn("{x}.db", "".join(lines))
