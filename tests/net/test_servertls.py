"""Tests for L{llmproxy.net.servertls}: handshakes in memory, with Python's own TLS as the client."""

from __future__ import annotations

import os
import ssl
from typing import Any

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import ConfigError
from llmproxy.net.servertls import CIPHERS, ClientAuth, ServerCertificates, ServerTls, identity_of
from tests.integration.certificates import Authority
from tests.tables import row


class Handshake:
    """
    A client and a server that have spoken as far as they could.

    @ivar error: why they did not come to an end.
    """

    def __init__(self, server: SSL.Connection, context: ssl.SSLContext, name: str) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = context.wrap_bio(incoming, outgoing, server_hostname=name)
        self.server = server
        self.error: Exception | None = None
        server.set_accept_state()
        for _ in range(10):
            for step in (self.client.do_handshake, server.do_handshake):
                try:
                    step()
                except (ssl.SSLWantReadError, SSL.WantReadError):
                    pass
                except (ssl.SSLError, SSL.Error) as error:
                    self.error = self.error or error
                data = outgoing.read()
                if data:
                    server.bio_write(data)
                try:
                    incoming.write(server.bio_read(65536))
                except SSL.Error:
                    pass


class ServerTlsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.authority = Authority(self.mktemp())
        self.one = self.authority.issue("one.example", also=["*.one.example"])
        self.two = self.authority.issue("two.example")

    def served(self, *pairs: tuple[str, str], ca: str | None = None, auth: ClientAuth = "none") -> ServerCertificates:
        certificates = ServerCertificates(ServerTls(pairs, ca, auth), [b"h2", b"http/1.1"])
        certificates.use(certificates.read())
        return certificates

    def client(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.authority.ca_file)
        context.check_hostname = False
        return context

    def shake(self, certificates: ServerCertificates, name: str = "one.example", client: Any = None) -> Handshake:
        return Handshake(certificates.serverConnectionForTLS(None), client or self.client(), name)

    def subject(self, shaken: Handshake) -> str:
        self.assertIsNone(shaken.error)
        return dict(pair for part in shaken.client.getpeercert()["subject"] for pair in part)["commonName"]

    def test_names(self) -> None:
        """Each name gets its certificate, any other name the first, and ALPN is spoken with every one."""
        certificates = self.served(self.one, self.two)
        client = self.client()
        client.set_alpn_protocols(["http/1.1", "h2"])
        for asked, expected in (
            ("one.example", "one.example"),
            ("x.one.example", "one.example"),
            ("two.example", "two.example"),
            ("x.two.example", "one.example"),
        ):
            with row(self, asked):
                shaken = self.shake(certificates, asked, client)
                self.assertEqual(self.subject(shaken), expected)
                self.assertEqual(shaken.client.selected_alpn_protocol(), "h2")

    def test_no_protocol(self) -> None:
        """A client that speaks none of ours gets no word of it, and may speak HTTP/1.1."""
        client = self.client()
        client.set_alpn_protocols(["spdy/3"])
        shaken = self.shake(self.served(self.one), client=client)
        self.assertIsNone(shaken.error)
        self.assertIsNone(shaken.client.selected_alpn_protocol())

    def test_renewed(self) -> None:
        """New connections get what is used now; what was read and is not used changes nothing."""
        certificates = self.served(self.one)
        certificates.tls = ServerTls((self.two,))
        read = certificates.read()
        self.assertEqual(self.subject(self.shake(certificates)), "one.example")
        certificates.use(read)
        self.assertEqual(self.subject(self.shake(certificates)), "two.example")
        self.assertEqual([each.names for each in certificates.loaded], [("two.example",)])

    def test_intermediate(self) -> None:
        """Of what clients offer, that of Mozilla's intermediate profile is taken, and nothing else."""
        certificates = self.served(self.one)
        for version, suites, taken in (
            (ssl.TLSVersion.TLSv1_3, None, True),
            (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-GCM-SHA256", True),
            (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-CHACHA20-POLY1305", True),
            (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA256", False),
            (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES256-SHA", False),
            (ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0", False),
            (ssl.TLSVersion.TLSv1, "ALL:@SECLEVEL=0", False),
        ):
            with row(self, version, suites):
                client = self.client()
                client.minimum_version = client.maximum_version = version
                if suites is not None:
                    client.set_ciphers(suites)
                shaken = self.shake(certificates, client=client)
                self.assertIs(shaken.error is None, taken)
        self.assertTrue(all("GCM" in each or "POLY1305" in each for each in CIPHERS.split(":")))

    def test_clients(self) -> None:
        """A certificate of the authority, of another one, and none."""
        stranger = Authority(self.mktemp(), "stranger").issue("ann")
        ann = self.authority.issue("ann")
        for auth, pair, taken in (
            ("none", None, True),
            ("none", ann, True),
            ("optional", None, True),
            ("optional", ann, True),
            ("optional", stranger, False),
            ("required", None, False),
            ("required", ann, True),
            ("required", stranger, False),
        ):
            with row(self, auth, pair):
                client = self.client()
                # What a server says of certificates in TLS 1.3 comes after the handshake.
                client.maximum_version = ssl.TLSVersion.TLSv1_2
                if pair is not None:
                    client.load_cert_chain(*pair)
                certificates = self.served(self.one, ca=self.authority.ca_file, auth=auth)
                shaken = self.shake(certificates, client=client)
                self.assertIs(shaken.error is None, taken)
                if taken:
                    expected = "CN=ann" if pair == ann and auth != "none" else ""
                    self.assertEqual(identity_of(shaken.server.get_peer_certificate()), expected)

    def test_wrong_files(self) -> None:
        """All that is wrong is named by its path; nothing of the content is shown."""
        other_key = self.two[1]
        nothing = self.mktemp()
        with open(nothing, "w") as file:
            file.write("canary")
        encrypted = self.encrypted()
        for pairs, ca, words in (
            ((("/no/where", other_key),), None, "the file /no/where cannot be read: No such file"),
            (((self.one[0], "/no/key"),), None, "the file /no/key cannot be read"),
            (((nothing, other_key),), None, "no certificate in PEM form"),
            (((self.one[0], nothing),), None, "no private key in PEM form"),
            (((self.one[0], encrypted),), None, "without a password"),
            (((self.one[0], other_key),), None, "is not that of the certificate"),
            ((self.one,), nothing, "client_ca"),
            ((self.one,), "/no/ca", "the file /no/ca cannot be read"),
        ):
            with row(self, pairs, ca):
                tls = ServerTls(pairs, ca, "none" if ca is None else "required")
                error = self.assertRaises(ConfigError, ServerCertificates(tls, ()).read)
                self.assertIn(words, str(error))
                self.assertNotIn("canary", str(error))

    def encrypted(self) -> str:
        from cryptography.hazmat.primitives import serialization

        with open(self.one[1], "rb") as file:
            key = serialization.load_pem_private_key(file.read(), None)
        path = os.path.abspath(self.mktemp())
        with open(path, "wb") as file:
            file.write(
                key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.BestAvailableEncryption(b"password"),
                )
            )
        return path

    def test_files(self) -> None:
        """What is watched: each once."""
        self.assertEqual(ServerTls((("a", "a"), ("b", "c")), "d", "required").files, ("a", "b", "c", "d"))
