"""Tests for L{llmproxy.app.servedtls}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.servedtls import check_certificates, server_tls
from llmproxy.config.tls import CertificateConfig, TlsConfig
from llmproxy.errors import ConfigError
from tests.integration.certificates import Authority
from tests.tables import row


class ServedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.cert, self.key = Authority(self.mktemp()).issue("localhost")
        self.tls = TlsConfig((CertificateConfig(self.cert, self.key),))

    def test_plain(self) -> None:
        """What is no TLS, or is left to Twisted, stays what it is."""
        for description in ("tcp:80", "ssl:443:privateKey=k:dhParameters=d"):
            with row(description):
                self.assertEqual(server_tls("--listen", description, self.tls), (description, None))

    def test_served(self) -> None:
        """A port serves what the configuration says, over the endpoint below."""
        plain, served = server_tls("--listen", "tls:443:reuse_port=yes", self.tls)
        assert served is not None
        self.assertEqual((plain, served.certificates), ("tcp:443:reuse_port=yes", ((self.cert, self.key),)))

    def test_checked(self) -> None:
        """What a port could not serve is said before anything is changed, with the port or the file."""
        listeners = [("--listen", "tcp:80"), ("--manage-listen", "tls:443")]
        check_certificates(listeners, self.tls)
        wrong = TlsConfig((CertificateConfig(self.cert, self.cert),))
        for config, words in ((wrong, self.cert), (TlsConfig(), "--manage-listen tls:443: tls: needs certificates")):
            with row(words):
                self.assertIn(words, str(self.assertRaises(ConfigError, check_certificates, listeners, config)))
        check_certificates(listeners[:1], TlsConfig())
