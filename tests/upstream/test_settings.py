"""Tests for L{llmproxy.upstream.settings}."""

from __future__ import annotations

from attrs import fields
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.model import ConnectionConfig
from llmproxy.config.model import ConnectionSettings as Configured
from llmproxy.upstream.settings import ConnectionSettings


class ConnectionSettingsTests(SynchronousTestCase):
    def test_nothing_said(self) -> None:
        """What the configuration does not say has the reference's limits, and certificates are checked."""
        settings = ConnectionSettings.of(None, 7.0)
        self.assertEqual(settings, ConnectionSettings(connect_timeout=7.0))
        self.assertEqual(ConnectionSettings.of(Configured(), 10.0), ConnectionSettings())
        self.assertTrue(settings.verify)

    def test_everything_said(self) -> None:
        """Every key that the configuration has for connections has its effect here."""
        said = Configured(
            max_idle_conns=1,
            max_idle_conns_per_host=2,
            max_conns_per_host=3,
            ca_file="ca",
            client_cert="cert",
            client_key="key",
            verify=False,
            proxy_from_environment=False,
            idle_connection=4.0,
            max_lifetime=5.0,
            expect_continue=6.0,
        )
        settings = ConnectionSettings.of(said, None)
        taken = (settings.max_idle, settings.max_idle_per_host, settings.max_connections_per_host)
        self.assertEqual((*taken, settings.idle_timeout, settings.connect_timeout), (1, 2, 3, 4.0, None))
        self.assertEqual((settings.ca_file, settings.client_cert, settings.client_key), ("ca", "cert", "key"))
        self.assertEqual((settings.verify, settings.proxy_from_environment), (False, False))
        self.assertEqual((settings.max_lifetime, settings.expect_continue), (5.0, 6.0))
        self.assertEqual(len(fields(ConnectionConfig)), 9)

    def test_kept_without_limit(self) -> None:
        """No limit for idle connections is a day: nobody notices, and nothing is kept for ever."""
        self.assertEqual(ConnectionSettings.of(Configured(idle_connection=None), None).idle_timeout, 86_400.0)
