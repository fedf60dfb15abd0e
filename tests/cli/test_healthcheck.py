"""C{llmproxy healthcheck}, against servers of this machine."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.healthcheck import command, own_address

from ..integration.certificates import Authority
from ..tables import row


class Answers(BaseHTTPRequestHandler):
    """200 for what is alive, 503 for what is not ready."""

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization")))  # type: ignore[attr-defined]
        ready = self.path != "/ready"
        self.send_response(200 if ready else 503)
        self.send_header("Content-Length", "9")
        self.end_headers()
        self.wfile.write(b"alive: ok" if ready else b"draining!")

    def log_message(self, *said: Any) -> None:
        """Nothing."""


class Quiet(HTTPServer):
    asked: list[tuple[str, str | None]]

    def handle_error(self, *whose: Any) -> None:
        """A client without a certificate is no news."""


class HealthcheckTests(SynchronousTestCase):
    def run_command(self, *arguments: str, **env: str) -> Result:
        cleared = {"LISTEN_ADDR": None, "ENABLE_TLS": None}
        return CliRunner().invoke(command, list(arguments), env={**cleared, **env})

    def serve(self, wrapped: Callable[[socket.socket], socket.socket] = lambda each: each) -> Quiet:
        server = Quiet(("127.0.0.1", 0), Answers)
        server.asked = []
        server.socket = wrapped(server.socket)
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        return server

    def tls(self, verify: ssl.VerifyMode = ssl.CERT_NONE) -> Quiet:
        """A server with a certificate for a name that is not this machine's."""
        authority = Authority(self.mktemp())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.issue("llm.example.com"))
        context.load_verify_locations(authority.ca_file)
        context.verify_mode = verify
        return self.serve(lambda each: context.wrap_socket(each, server_side=True))

    def test_own(self) -> None:
        """Without a URL it is the proxy at LISTEN_ADDR, asked whether it is alive, without a token."""
        server = self.serve()
        done = self.run_command(LISTEN_ADDR=f":{server.server_port}", MANAGEMENT_TOKEN="secret-management-token")
        self.assertEqual((done.exit_code, done.output), (0, ""))
        self.assertEqual(server.asked, [("/live", None)])

    def test_not_ready(self) -> None:
        """C{--ready} is more than alive, and what is wrong is said."""
        server = self.serve()
        url = f"http://127.0.0.1:{server.server_port}"
        self.assertEqual(self.run_command(url).exit_code, 0)
        done = self.run_command(url, "--ready")
        self.assertEqual(done.exit_code, 1)
        self.assertEqual(done.stderr, f"{url}: 503, draining!\n")

    def test_path(self) -> None:
        """A path of the URL is what is asked for, --ready or not."""
        server = self.serve()
        done = self.run_command(f"http://127.0.0.1:{server.server_port}/ready", "--ready")
        self.assertEqual((done.exit_code, server.asked), (1, [("/ready", None)]))

    def test_nobody(self) -> None:
        """Nobody listens there."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            done = self.run_command(LISTEN_ADDR=f"127.0.0.1:{taken.getsockname()[1]}")
        self.assertEqual(done.exit_code, 1)
        self.assertIn("cannot be reached", done.stderr)

    def test_unix(self) -> None:
        """A Unix socket, of LISTEN_ADDR or named."""
        path = os.path.relpath(os.path.abspath(self.mktemp()))
        if len(path) > 90:
            path = f"/tmp/healthcheck-{os.getpid()}"

        def moved(old: socket.socket) -> socket.socket:
            old.close()
            made = socket.socket(socket.AF_UNIX)
            made.bind(path)
            self.addCleanup(os.unlink, path)
            made.listen()
            return made

        server = self.serve(moved)
        # The name of a client is an address of TCP for http.server.
        self.patch(Answers, "address_string", lambda handler: "unix")
        full = os.path.abspath(path)
        self.assertEqual(self.run_command(LISTEN_ADDR=f"unix:{full}").exit_code, 0)
        self.assertEqual(self.run_command(f"unix:{full}", "--ready").exit_code, 1)
        self.assertEqual([each for each, _ in server.asked], ["/live", "/ready"])

    def test_tls(self) -> None:
        """The certificate is for the name that clients use; on this machine it is not looked at."""
        server = self.tls()
        self.assertEqual(self.run_command(LISTEN_ADDR=f":{server.server_port}", ENABLE_TLS="true").exit_code, 0)
        self.assertEqual(self.run_command(f"https://127.0.0.1:{server.server_port}/ready").exit_code, 1)

    def test_client_certificate(self) -> None:
        """A server that asks who its client is works."""
        server = self.tls(ssl.CERT_REQUIRED)
        done = self.run_command(f"https://127.0.0.1:{server.server_port}")
        self.assertEqual((done.exit_code, done.output), (0, ""))
        self.assertEqual(server.asked, [])

    def test_elsewhere(self) -> None:
        """The certificate of another machine is verified."""
        server = self.tls()
        self.patch(socket, "getaddrinfo", lambda *what, **more: [(2, 1, 6, "", ("127.0.0.1", server.server_port))])
        done = self.run_command(f"https://llm.example.com:{server.server_port}")
        self.assertEqual(done.exit_code, 1)
        self.assertIn("cannot be verified", done.stderr)

    def test_no_address(self) -> None:
        """What is no URL is an error of use, and so is an address that nothing can be asked at."""
        for arguments, variables in ((["localhost:8080"], {}), ([], {"LISTEN_ADDR": "systemd:domain=INET:index=0"})):
            with row(arguments, variables):
                self.assertEqual(self.run_command(*arguments, **variables).exit_code, 2)


class OwnAddressTests(SynchronousTestCase):
    def test_addresses(self) -> None:
        """Where one listens, somebody of this machine can ask."""
        for listen, tls, expected in (
            ("", "", "http://127.0.0.1:8080"),
            (":9000", "", "http://127.0.0.1:9000"),
            ("0.0.0.0:9000", "false", "http://127.0.0.1:9000"),
            ("10.1.2.3:9000", "", "http://10.1.2.3:9000"),
            ("[::]:9000", "", "http://[::1]:9000"),
            ("[::1]:9000", "true", "https://[::1]:9000"),
            ("tcp:9000:interface=127.0.0.1", "", "http://127.0.0.1:9000"),
            ("tcp6:9000", "", "http://[::1]:9000"),
            ("ssl:8443", "", "https://127.0.0.1:8443"),
            ("tls:8443", "", "https://127.0.0.1:8443"),
            ("unix:/run/llmproxy.sock", "", "unix:/run/llmproxy.sock"),
            ("unix:/run/llmproxy.sock:mode=660", "", "unix:/run/llmproxy.sock"),
        ):
            with row(listen, tls):
                self.assertEqual(own_address({"LISTEN_ADDR": listen, "ENABLE_TLS": tls}).text, expected)
