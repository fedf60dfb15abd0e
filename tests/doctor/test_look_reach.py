"""A look at the way to upstreams."""

from __future__ import annotations

import socket
import ssl

from llmproxy.core.doctor.reach import ReachFacts
from llmproxy.doctor.look_reach import look_at_upstreams

from ..integration.certificates import Authority
from .subjects import SubjectTestCase


def silent(connection: socket.socket) -> None:
    connection.recv(1)


class ReachTests(SubjectTestCase):
    def look(self, url: str, more: str = "", **env: str) -> ReachFacts:
        api = f"{{base_url: '{url}', allowed_endpoints: [/v1], allowed_methods: [POST]{more}}}"
        subject = self.subject(api=api, env=env)
        self.assertEqual(subject.problems, ())
        facts = look_at_upstreams(subject)
        assert facts is not None
        (found,) = facts
        return found

    def secure(self, host: str = "localhost") -> tuple[int, str]:
        """A server with a certificate for a host, and its authority."""
        authority = Authority(self.directory)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.issue(host))

        def serve(connection: socket.socket) -> None:
            with context.wrap_socket(connection, server_side=True) as secured:
                secured.recv(1)

        return self.served(serve), authority.ca_file

    def test_plain(self) -> None:
        found = self.look(f"http://127.0.0.1:{self.served(silent)}")
        self.assertEqual((found.stage, found.secure, found.addresses), ("", False, 1))
        self.assertIsNotNone(found.took)

    def test_name(self) -> None:
        """A name that is none (RFC 2606)."""
        found = self.look("https://nowhere.invalid")
        self.assertEqual(found.stage, "name")
        self.assertIn("nowhere.invalid", found.why)

    def test_connection(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        found = self.look(f"https://127.0.0.1:{port}")
        self.assertEqual((found.stage, found.why), ("connection", "no connection: Connection refused"))

    def test_certificate(self) -> None:
        """One of an authority that nobody knows, of another host, and a good one with its end."""
        port, ca_file = self.secure()
        found = self.look(f"https://localhost:{port}")
        self.assertEqual(found.stage, "tls")
        self.assertIn("its certificate is not good", found.why)
        found = self.look(f"https://127.0.0.1:{port}", f", connection: {{ca_file: '{ca_file}'}}")
        self.assertIn("its certificate is not good", found.why)
        found = self.look(f"https://localhost:{port}", f", connection: {{ca_file: '{ca_file}'}}")
        self.assertEqual((found.stage, found.why), ("", ""))
        assert found.expires_in is not None
        self.assertTrue(3000 < found.expires_in <= 3600)

    def test_no_tls(self) -> None:
        def plain(connection: socket.socket) -> None:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        found = self.look(f"https://127.0.0.1:{self.served(plain)}")
        self.assertEqual(found.stage, "tls")

    def test_proxy(self) -> None:
        """The way leads through the proxy of the environment, with its password, which is not shown."""
        heard = []

        def serve(connection: socket.socket) -> None:
            heard.append(connection.recv(4096))
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")

        port = self.served(serve)
        proxy = f"http://u:proxy-password@127.0.0.1:{port}"
        found = self.look("https://api.example", ", connection: {proxy_from_environment: true}", HTTPS_PROXY=proxy)
        self.assertEqual((found.proxy, found.why), (f"127.0.0.1:{port}", "no connection: the proxy answers 403"))
        self.assertIn(b"CONNECT api.example:443 HTTP/1.1\r\n", heard[0])
        self.assertIn(b"Proxy-Authorization: Basic ", heard[0])
        self.assertNotIn("proxy-password", repr(found))

    def test_offline(self) -> None:
        self.assertIsNone(look_at_upstreams(self.subject(offline=True)))
