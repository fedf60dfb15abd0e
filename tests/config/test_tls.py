"""Tests for L{llmproxy.config.tls}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config import load_api_config
from llmproxy.config.tls import CertificateConfig, TlsConfig, TlsListener, tls_listener
from llmproxy.errors import ConfigError
from tests.tables import row

API = "apis: {x: {base_url: 'http://127.0.0.1:1', allowed_endpoints: [/v1], allowed_methods: [GET]}}\ndefault_api: x\n"
TLS = TlsConfig((CertificateConfig("c", "k"), CertificateConfig("c2", "k2")), "ca")
PAIRS = (("c", "k"), ("c2", "k2"))


class ListenerTests(SynchronousTestCase):
    def test_table(self) -> None:
        """C{tls:} is what the file says; C{ssl:} has its own files, and is Twisted's where it has more than that."""
        for description, tls, expected in (
            ("tcp:80", TLS, None),
            ("unix:/tls:x", TLS, None),
            ("tls:443", TLS, TlsListener("tcp:443", PAIRS, "ca", "required")),
            ("tls:443:client_auth=optional", TLS, TlsListener("tcp:443", PAIRS, "ca", "optional")),
            ("tls:443:client_auth=none", TLS, TlsListener("tcp:443", PAIRS)),
            (
                "tls:443:interface=\\:\\:1:backlog=5",
                TlsConfig(TLS.certificates),
                TlsListener("tcp:443:interface=\\:\\:1:backlog=5", PAIRS),
            ),
            ("ssl:443:privateKey=k:certKey=/a\\:b", TLS, TlsListener("tcp:443", (("/a:b", "k"),))),
            ("ssl:443:privateKey=both:interface=::", TLS, None),
            ("ssl:443:privateKey=both", TLS, TlsListener("tcp:443", (("both", "both"),))),
            ("ssl:443:privateKey=k:certKey=c:dhParameters=d", TLS, None),
            ("ssl:443", TLS, None),
        ):
            with row(self, description):
                self.assertEqual(tls_listener(description, tls), expected)

    def test_wrong(self) -> None:
        """What cannot hold is refused, with what to do."""
        for description, tls, words in (
            ("tls:443", TlsConfig(), "needs certificates in the file"),
            ("tls:443:certKey=c", TLS, "not certKey"),
            ("tls:443:client_auth=must", TLS, "expected one of none, optional, required"),
            ("tls:443:client_auth=required", TlsConfig(TLS.certificates), "needs tls.client_ca"),
        ):
            with row(self, description):
                self.assertIn(words, str(self.assertRaises(ValueError, tls_listener, description, tls)))


class FileTests(SynchronousTestCase):
    def read(self, text: str) -> TlsConfig:
        path = self.mktemp()
        with open(path, "w") as file:
            file.write(API + text)
        return load_api_config(path).tls

    def test_read(self) -> None:
        """As in the documents."""
        there = __file__
        found = self.read(f"tls: {{certificates: [{{cert: {there}, key: {there}}}], client_ca: {there}}}\n")
        self.assertEqual(found, TlsConfig((CertificateConfig(there, there),), there))

    def test_wrong(self) -> None:
        """Each with its path."""
        there = __file__
        for text, words in (
            (f"{{client_ca: {there}}}", "expected certificates"),
            (f"{{certificates: [], client_ca: {there}, client_auth: optional}}", "expected certificates"),
            (f"{{certificates: [{{cert: {there}}}]}}", "tls.certificates[0].key: expected the path"),
            (f"{{certificates: [{{cert: /no/where, key: {there}}}]}}", "there is none at '/no/where'"),
            (f"{{certificates: [{{cert: {there}, key: {there}}}], client_auth: required}}", "needs client_ca"),
            (f"{{certificates: [{{cert: {there}, key: {there}}}], client_auth: always}}", "expected one of"),
            (f"{{certificate: {there}}}", "certificates"),
        ):
            with row(self, text):
                self.assertIn(words, str(self.assertRaises(ConfigError, self.read, f"tls: {text}\n")))
