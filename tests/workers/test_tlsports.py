"""Tests for L{llmproxy.workers.tlsports}."""

from __future__ import annotations

from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.tls import CertificateConfig, TlsConfig
from llmproxy.errors import ConfigError
from llmproxy.workers.tlsports import above, certificates_for
from tests.integration.certificates import Authority


class TlsPortsTests(SynchronousTestCase):
    def test_plain(self) -> None:
        """What is no TLS stays what it is."""
        plain, certificates = certificates_for("--listen", "tcp:80", TlsConfig())
        self.assertEqual((plain, certificates), ("tcp:80", None))
        factory = Factory()
        self.assertIs(above(factory, certificates, Clock()), factory)

    def test_tls(self) -> None:
        """The files have been read before the port is opened."""
        cert, key = Authority(self.mktemp()).issue("localhost")
        tls = TlsConfig((CertificateConfig(cert, key),))
        plain, certificates = certificates_for("--listen", "tls:443", tls, [b"h2"])
        assert certificates is not None
        self.assertEqual(plain, "tcp:443")
        self.assertEqual([each.names for each in certificates.loaded], [("localhost",)])
        self.assertIsInstance(above(Factory(), certificates, Clock()), TLSMemoryBIOFactory)

    def test_wrong(self) -> None:
        """It names the option, the endpoint or the file."""
        error = self.assertRaises(ConfigError, certificates_for, "--manage-listen", "tls:443", TlsConfig())
        self.assertIn("--manage-listen tls:443: tls: needs certificates", str(error))
        tls = TlsConfig((CertificateConfig("/no/cert", "/no/key"),))
        self.assertIn("/no/cert", str(self.assertRaises(ConfigError, certificates_for, "--listen", "tls:443", tls)))
