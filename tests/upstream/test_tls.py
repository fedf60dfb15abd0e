"""Tests for L{llmproxy.upstream.tls}; tests/integration/test_upstreams.py shakes hands with real servers."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.apisettings import ConnectionSettings
from llmproxy.errors import ConfigError
from llmproxy.upstream.tls import ClientTls
from tests.integration.certificates import Authority


def _protocol(tls: ClientTls) -> Any:
    """What Twisted makes a connection for."""
    return TLSMemoryBIOFactory(tls, True, Factory.forProtocol(Protocol)).buildProtocol(None)


class Server:
    """A TLS server in memory."""

    def __init__(self, certificate: str, key: str) -> None:
        self._context = SSL.Context(SSL.TLS_METHOD)
        self._context.use_certificate_chain_file(certificate)
        self._context.use_privatekey_file(key)
        self._context.set_tlsext_servername_callback(lambda connection: self.names.append(connection.get_servername()))
        self.names: list[Any] = []

    def shake_hands(self, tls: ClientTls) -> SSL.Connection:
        """The client's side of a connection that stands; raises L{SSL.Error} if it does not come to that."""
        client = tls.clientConnectionForTLS(_protocol(tls))
        client.set_connect_state()
        server = SSL.Connection(self._context, None)
        server.set_accept_state()
        for _ in range(4):
            for side, other in ((client, server), (server, client)):
                try:
                    side.do_handshake()
                except SSL.WantReadError:
                    pass
                try:
                    other.bio_write(side.bio_read(65536))
                except SSL.WantReadError:
                    pass
        server.send(b"x")
        client.bio_write(server.bio_read(65536))
        self.received = client.recv(1)
        return client


class ClientTlsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.authority = Authority(self.mktemp())
        self.certificate, self.key = self.authority.issue("up.example")
        self.server = Server(self.certificate, self.key)

    def tls(self, host: str = "up.example", **settings: Any) -> ClientTls:
        return ClientTls(ConnectionSettings(**{"ca_file": self.authority.ca_file, **settings}), host)

    def written(self, content: bytes) -> str:
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(content)
        return path

    def test_underscore(self) -> None:
        """A name with an underscore, as containers have, is one like any other."""
        server = Server(*self.authority.issue("llm_server"))
        server.shake_hands(self.tls("llm_server"))
        self.assertEqual(server.names, [b"llm_server"])

    def test_interface(self) -> None:
        """Twisted can make connections with it."""
        verifyObject(IOpenSSLClientConnectionCreator, self.tls())

    def test_name(self) -> None:
        """Upstream is told which name it should have; an address is no name."""
        self.server.shake_hands(self.tls())
        self.server.shake_hands(self.tls("192.0.2.1", verify=False))
        self.server.shake_hands(self.tls("other.example", verify=False))
        self.assertEqual(self.server.names, [b"up.example", None, b"other.example"])

    def test_not_trusted(self) -> None:
        """A certificate of an authority that is not ours is none."""
        with self.assertRaises(SSL.Error):
            self.server.shake_hands(self.tls(ca_file=None))

    def test_for_another(self) -> None:
        """A certificate for another host is none, nor is one that names no host, though its authority is trusted."""
        for made in (self.authority.issue("other.example"), self.authority.issue("up.example", named=False)):
            for host in ("up.example", "192.0.2.1", "up_server"):
                with self.assertRaises(SSL.Error):
                    Server(*made).shake_hands(self.tls(host))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_protocols(self) -> None:
        """HTTP/2 is offered where it is asked for, and before HTTP/1.1, however certificates are checked."""
        for verify in (True, False):
            settings = ConnectionSettings(verify=verify, ca_file=self.authority.ca_file)
            for http2, offered in ((False, [b"http/1.1"]), (True, [b"h2", b"http/1.1"])):
                tls = ClientTls(settings, "up.example", http2)
                seen: list[list[bytes]] = []
                server = Server(*self.authority.issue("up.example"))
                server._context.set_alpn_select_callback(lambda _, names, seen=seen: seen.append(names) or names[0])
                made = server.shake_hands(tls)
                self.assertEqual((seen, made.get_alpn_proto_negotiated()), ([offered], offered[0]), verify)

    def test_session(self) -> None:
        """Another connection to the same host resumes; one that another client makes does not."""
        tls = self.tls(verify=False)
        first = self.server.shake_hands(tls)
        tls.remember(first)
        again = tls.clientConnectionForTLS(_protocol(tls))
        self.assertIsNotNone(again.get_session())
        self.assertIsNone(self.tls(verify=False).clientConnectionForTLS(_protocol(tls)).get_session())

    def test_own_certificate(self) -> None:
        """Our certificate and key are read at once, from two files or from one."""
        self.tls(client_cert=self.certificate, client_key=self.key)
        with open(self.certificate, "rb") as one, open(self.key, "rb") as other:
            both = self.written(one.read() + other.read())
        self.tls(client_cert=both)

    def test_wrong_files(self) -> None:
        """What is wrong with a file is said with its name, before anybody is connected to; never what is in it."""
        _, other_key = self.authority.issue("other.example")
        broken = self.written(b"-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n")
        empty = self.written(b"")
        table: list[tuple[dict[str, Any], str]] = [
            ({"ca_file": "/nowhere.pem"}, "/nowhere.pem: cannot be read"),
            ({"ca_file": empty}, f"{empty}: holds no PEM certificate"),
            ({"ca_file": broken}, f"{broken}: holds a broken PEM certificate"),
            ({"client_cert": empty}, f"{empty}: holds no PEM certificate"),
            ({"client_cert": self.certificate}, f"{self.certificate}: is not the private key of"),
            ({"client_cert": self.certificate, "client_key": other_key}, f"{other_key}: is not the private key of"),
        ]
        for settings, words in table:
            with self.assertRaises(ConfigError) as caught:
                self.tls(**settings)
            self.assertIn(words, str(caught.exception))

    def test_passphrase(self) -> None:
        """A key with a passphrase is refused; nobody is asked for it at the terminal."""
        with open(self.key, "rb") as file:
            key = crypto.load_privatekey(crypto.FILETYPE_PEM, file.read())
        path = self.written(crypto.dump_privatekey(crypto.FILETYPE_PEM, key, "aes-256-cbc", b"secret"))
        with self.assertRaises(ConfigError) as caught:
            self.tls(client_cert=self.certificate, client_key=path)
        self.assertIn("without a passphrase", str(caught.exception))
