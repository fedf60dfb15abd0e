"""Tests for L{llmproxy.config.certificates}."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.certificates import certificate_file, check_certificate, tls_description
from llmproxy.config.problems import Problems
from tests.integration.certificates import Authority

from ..tables import row


class DescriptionTests(SynchronousTestCase):
    def test_descriptions(self) -> None:
        """TLS is served where plain HTTP would have been, whatever the address."""
        files = f"privateKey={os.path.abspath('k')}:certKey=/c\\\\:1"
        table = {
            "tcp:8443": f"ssl:8443:{files}",
            "tcp:8443:interface=127.0.0.1": f"ssl:8443:interface=127.0.0.1:{files}",
            "tcp6:1": f"ssl:1:interface=\\:\\::{files}",
            "tcp6:1:interface=\\:\\:1": f"ssl:1:interface=\\:\\:1:{files}",
            "ssl:1:privateKey=x": "ssl:1:privateKey=x",
        }
        self.assertEqual(
            {each: tls_description(each, "/c:1", "k") for each in table},
            {each: text.replace("\\\\", "\\") for each, text in table.items()},
        )

    def test_no_port(self) -> None:
        """A Unix socket does not speak TLS: that is said, and nothing is served in clear."""
        for description in ("unix:/run/x.sock", "systemd:domain=INET:index=0"):
            with row(description):
                error = self.assertRaises(ValueError, tls_description, description, "c", "k")
            self.assertIn("ENABLE_TLS needs an address", str(error))

    def test_certificate_file(self) -> None:
        """The certificate that such a description serves is found in it, whatever its path has in it."""
        for path in ("/c.pem", "/c:1=2.pem", "/a\\b.pem"):
            self.assertEqual(certificate_file(tls_description("tcp:8443", path, "/k.pem")), path, path)
        self.assertEqual(certificate_file("ssl:8443:privateKey=both.pem"), "both.pem")
        self.assertEqual(certificate_file("ssl:8443"), "")


class CheckTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.authority = Authority(self.mktemp())
        self.certificate, self.key = self.authority.issue("localhost")

    def found(self, certificate: str, key: str) -> list[str]:
        problems = Problems()
        check_certificate(certificate, key, problems)
        return [sentence for _, sentence in problems.found]

    def test_good(self) -> None:
        self.assertEqual(self.found(self.certificate, self.key), [])

    def test_missing(self) -> None:
        """Both are looked for at once."""
        names = [sentence.partition(":")[0] for sentence in self.found("/none/c", "/none/k")]
        self.assertEqual(names, ["TLS_CERT_FILE", "TLS_KEY_FILE"])

    def test_swapped(self) -> None:
        """What stands in the wrong variable is known as what it is not."""
        first, second = self.found(self.key, self.certificate)
        self.assertIn("holds no certificate", first)
        self.assertIn("holds no private key", second)

    def test_of_another(self) -> None:
        """A key of another certificate is told before a client meets it."""
        _, other = self.authority.issue("other")
        (sentence,) = self.found(self.certificate, other)
        self.assertIn("is not that of the certificate", sentence)

    def test_encrypted(self) -> None:
        """Nobody is asked for a password at start."""
        plain = serialization.load_pem_private_key(Path(self.key).read_bytes(), None)
        path = self.mktemp()
        Path(path).write_bytes(
            plain.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"password-canary"),
            )
        )
        (sentence,) = self.found(self.certificate, path)
        self.assertIn("is encrypted", sentence)
