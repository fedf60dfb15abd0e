"""A look at certificates and keys."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from llmproxy.doctor.look_certificates import look_at, look_at_certificates

from ..integration.certificates import Authority
from ..tables import row
from .subjects import API, SubjectTestCase


class CertificateTests(SubjectTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.authority = Authority(self.directory)
        self.cert, self.key = self.authority.issue("www.example", also=("api.example",))

    def test_good(self) -> None:
        os.chmod(self.key, 0o640)
        facts = look_at("tls:1", self.cert, self.key)
        self.assertEqual((facts.error, facts.matches, facts.chain, facts.complete), ("", True, True, False))
        self.assertEqual((facts.names, facts.key_mode), (("www.example", "api.example"), 0o640))
        assert facts.expires_in is not None
        self.assertTrue(3000 < facts.expires_in <= 3600, facts.expires_in)
        self.assertLess(facts.begins_in, 0)

    def test_chain(self) -> None:
        """The issuer behind the certificate makes it whole; in another order it is none."""
        first, issuer = Path(self.cert).read_text(), Path(self.authority.ca_file).read_text()
        whole = look_at("x", self.file("whole.pem", first + issuer), self.key)
        self.assertEqual((whole.chain, whole.complete), (True, True))
        stranger, _ = self.authority.issue("other.example")
        broken = look_at("x", self.file("broken.pem", first + Path(stranger).read_text()), self.key)
        self.assertFalse(broken.chain)

    def test_expired(self) -> None:
        cert, key = self.authority.issue("old.example", timedelta(hours=-1))
        expires = look_at("x", cert, key).expires_in
        assert expires is not None
        self.assertLess(expires, 0)

    def test_authorities(self) -> None:
        """Of several authorities one may have expired; those that all have are of no use."""
        old, _ = self.authority.issue("old.example", timedelta(hours=-1))
        both = self.file("both.pem", Path(old).read_text() + Path(self.authority.ca_file).read_text())
        for path, holds in ((both, True), (old, False)):
            expires = look_at("x", path, "").expires_in
            assert expires is not None
            with row(path):
                self.assertEqual(expires > 0, holds)

    def test_wrong(self) -> None:
        """What is no certificate, no key, or another's."""
        _, other = self.authority.issue("other.example")
        self.assertFalse(look_at("x", self.cert, other).matches)
        none = os.path.join(self.directory, "none.pem")
        empty, words = self.file("empty.pem"), self.file("words.pem", "-----BEGIN CERTIFICATE-----\nno\n")
        for cert, key, why in (
            (none, self.key, "cannot be read: No such file"),
            (empty, self.key, "no certificate in PEM"),
            (words, self.key, "no certificate in PEM"),
            (self.cert, none, "none.pem cannot be read"),
            (self.cert, self.cert, "no private key in PEM"),
        ):
            self.assertIn(why, look_at("x", cert, key).error)

    def test_all_of_a_configuration(self) -> None:
        """Those of listeners with their authorities, those for upstream, each once."""
        connection = f"{{ca_file: '{self.authority.ca_file}', client_cert: '{self.cert}', client_key: '{self.key}'}}"
        subject = self.subject(
            f"tls: {{certificates: [{{cert: '{self.cert}', key: '{self.key}'}}],"
            f" client_ca: '{self.authority.ca_file}', client_auth: optional}}",
            api=API[:-1] + f", connection: {connection}}}",
            options={"listen": ("tls:8443",)},
        )
        self.assertEqual(subject.problems, ())
        self.assertEqual(
            [(each.use, each.error) for each in look_at_certificates(subject)],
            [
                ("tls:8443", ""),
                ("tls:8443, authorities of clients", ""),
                ("a, shown to upstream", ""),
                ("a, trusted for upstream", ""),
            ],
        )
