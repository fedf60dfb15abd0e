"""Tests for L{llmproxy.net.clienttls}; tests/upstream/test_tls.py shakes hands."""

from __future__ import annotations

from twisted.internet.ssl import optionsForClientTLS
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.net.clienttls import tls_to


class ClientTlsTests(SynchronousTestCase):
    def test_names(self) -> None:
        """All that Twisted knows of a name is the name that was asked for, where IDNA has no rules for it, too."""
        for host in ("llm_server", "a_b.example", "_x", "up.example", "xn--bcher-kva.example"):
            options = tls_to(host)._inner
            self.assertEqual(
                (options._hostname, options._hostnameASCII, options._hostnameBytes), (host, host, host.encode()), host
            )
            self.assertEqual(vars(options).keys(), vars(optionsForClientTLS("up.example")).keys(), host)
            self.assertTrue(options._hostnameIsDnsName, host)

    def test_no_name(self) -> None:
        """What is not in ASCII and no name by IDNA either is none."""
        self.assertRaises(UnicodeError, tls_to, "bü_cher.example")
