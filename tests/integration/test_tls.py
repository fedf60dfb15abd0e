"""TLS of real processes: names, renewal without a restart, certificates of clients, and sockets of systemd."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from http.client import HTTPSConnection
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.tables import row

from .certificates import Authority
from .processes import LLMPROXY, MANAGEMENT_TOKEN, environment, free_port, start

CONFIG = """default_api: x
apis:
  x:
    base_url: http://127.0.0.1:9
    allowed_endpoints: [/v1]
    allowed_methods: [GET]
tls:
  certificates:
    - {cert: one-cert.pem, key: one-key.pem}
    - {cert: two-cert.pem, key: two-key.pem}
"""

PATIENCE = 30.0
"""Seconds, beyond which something hangs."""


class TlsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory)
        self.authority = Authority(os.path.join(self.directory, "authority"))
        self.issue("one", "one.example")
        self.issue("two", "two.example")
        self.port = free_port()

    def issue(self, file: str, name: str) -> None:
        """Another certificate in the files of the proxy, put there as certbot does: one after the other, by rename."""
        for what, path in zip(("cert", "key"), self.authority.issue(name), strict=True):
            new = os.path.join(self.directory, f"{file}-{what}.pem.new")
            shutil.copy(path, new)
            os.replace(new, new.removesuffix(".new"))

    def serve(self, *options: str, more: str = "") -> subprocess.Popen[str]:
        with open(os.path.join(self.directory, "apis.yaml"), "w") as file:
            file.write(CONFIG + more)
        process = start(
            (*LLMPROXY, "serve", "--config", "apis.yaml", "--access-log", "access.log", *options),
            self.directory,
            MANAGEMENT_TOKEN=MANAGEMENT_TOKEN,
            DATABASE_PATH="proxy.db",
        )
        self.addCleanup(process.wait, PATIENCE)
        self.addCleanup(process.kill)
        return process

    def until(self, condition: Callable[[], object]) -> None:
        ends = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), ends, self.said())
            time.sleep(0.1)

    def said(self) -> str:
        with open(os.path.join(self.directory, "stderr")) as file:
            return file.read()

    def context(self, pair: Sequence[str] | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.authority.ca_file)
        context.check_hostname = False
        if pair is not None:
            context.load_cert_chain(*pair)
        return context

    def serial(self, name: str) -> str:
        """The number of the certificate that a client gets which asks for a name; C{""} where nobody listens."""
        try:
            with (
                socket.create_connection(("127.0.0.1", self.port), PATIENCE) as plain,
                self.context().wrap_socket(plain, server_hostname=name) as secure,
            ):
                found: Any = secure.getpeercert()
                return found["subjectAltName"][0][1] + " " + found["serialNumber"]
        except (ConnectionError, ssl.SSLError):
            return ""

    def ask(self, port: int, path: str, pair: Sequence[str] | None = None, token: str = MANAGEMENT_TOKEN) -> Any:
        """Status and JSON; status 0 where the connection is refused or broken off."""
        connection = HTTPSConnection("127.0.0.1", port, timeout=PATIENCE, context=self.context(pair))
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        except OSError:
            return 0, None
        finally:
            connection.close()

    def test_renewed(self) -> None:
        """Alone and with workers: names get their certificates, and new ones when the files are replaced."""
        for workers in ("1", "2"):
            with row(self, workers):
                self.port = free_port()
                process = self.serve("--listen", f"tls:{self.port}:interface=127.0.0.1", "--workers", workers)
                self.until(lambda: self.serial("one.example"))
                before = [self.serial(name) for name in ("one.example", "two.example", "other.example")]
                self.assertEqual([each.split()[0] for each in before], ["one.example", "two.example", "one.example"])
                self.until(lambda: "one-cert.pem, good until" in self.said())
                self.issue("two", "two.example")
                self.until(lambda: self.serial("two.example") not in ("", before[1]))
                # Every worker has it.
                time.sleep(2.5)
                self.assertEqual(len({self.serial("two.example") for _ in range(20)}), 1)
                self.assertEqual(self.serial("one.example"), before[0])
                # A key that belongs to none of them changes nothing.
                with open(os.path.join(self.directory, "one-key.pem"), "w") as file:
                    file.write("no key")
                self.until(lambda: "the certificates stay as they were" in self.said())
                self.assertEqual(self.serial("one.example"), before[0])
                self.issue("one", "one.example")
                self.until(lambda: self.serial("one.example") not in ("", before[0]))
                process.terminate()
                self.assertEqual(process.wait(PATIENCE), 0)

    def test_clients(self) -> None:
        """
        Management wants a certificate, clients may have one: who it is stands in the audit log and in the access log.
        """
        shutil.copy(self.authority.ca_file, os.path.join(self.directory, "ca.pem"))
        manage = free_port()
        self.serve(
            *("--listen", f"tls:{self.port}:interface=127.0.0.1:client_auth=optional"),
            *("--manage-listen", f"tls:{manage}:interface=127.0.0.1"),
            more="  client_ca: ca.pem\n",
        )
        ann = self.authority.issue("ann")
        stranger = Authority(self.mktemp(), "stranger").issue("ann")
        self.until(lambda: self.ask(self.port, "/health", token="")[0] == 200)
        self.assertEqual(self.ask(manage, "/manage/projects")[0], 0)
        self.assertEqual(self.ask(manage, "/manage/projects", stranger)[0], 0)
        self.assertEqual(self.ask(manage, "/manage/projects", ann)[0], 200)
        self.assertEqual(self.ask(self.port, "/v1/x", ann, "sk-a-token-that-nobody-has-made")[0], 401)

        def noted() -> list[tuple[str, str]]:
            _, found = self.ask(manage, "/manage/audit", ann)
            events: list[Any] = found["events"]
            details = [json.loads(each.get("metadata", "{}")) for each in events]
            return [
                (each["action"], said.get("client_certificate", "")) for each, said in zip(events, details, strict=True)
            ]

        self.until(lambda: ("token.validate", "CN=ann") in noted())
        self.assertIn(("project.list", "CN=ann"), noted())
        self.assertEqual(self.ask(self.port, "/v1/x", None, "sk-another-that-nobody-has-made")[0], 401)
        self.until(lambda: '"client_certificate":"CN=ann"' in self.log())

    def test_resumed(self) -> None:
        """A client that comes with a session of before goes on with it, and both are counted."""
        self.serve("--listen", f"tls:{self.port}:interface=127.0.0.1")
        self.until(lambda: self.serial("one.example"))
        context = self.context()
        session = self.greeted(context)
        self.greeted(context, session)
        # The one that asks is another one.
        counted = self.handshakes(context)
        self.assertEqual(counted["llmproxy_tls_client_handshakes_total"], 3.0)
        self.assertEqual(counted["llmproxy_tls_client_resumptions_total"], 1.0)

    def greeted(self, context: ssl.SSLContext, session: Any = None) -> Any:
        """The session of a connection over which something was asked."""
        with (
            socket.create_connection(("127.0.0.1", self.port), PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname="one.example", session=session) as secure,
        ):
            secure.sendall(b"GET /health HTTP/1.1\r\nHost: one.example\r\n\r\n")
            self.assertIn(b"200 OK", secure.recv(65536))
            self.assertEqual(secure.session_reused, session is not None)
            return secure.session

    def handshakes(self, context: ssl.SSLContext) -> dict[str, float]:
        connection = HTTPSConnection("127.0.0.1", self.port, timeout=PATIENCE, context=context)
        connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {MANAGEMENT_TOKEN}"})
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        return {line.split()[0]: float(line.split()[1]) for line in lines if line.startswith("llmproxy_tls_")}

    def log(self) -> str:
        with open(os.path.join(self.directory, "access.log")) as file:
            return file.read()


class SystemdTests(SynchronousTestCase):
    def test_workers(self) -> None:
        """A socket that systemd has opened is served, alone and by workers, TCP and Unix, and stays at the end."""
        for workers in ("1", "2"):
            with row(self, workers):
                directory = os.path.abspath(self.mktemp())
                os.mkdir(directory)
                with open(os.path.join(directory, "apis.yaml"), "w") as file:
                    file.write(CONFIG.partition("tls:")[0])
                listening = socket.create_server(("127.0.0.1", 0))
                self.addCleanup(listening.close)
                # What systemd does: descriptors from 3 on, and the id of the process that is to take them.
                code = (
                    "import os, sys\n"
                    f"os.dup2({listening.fileno()}, 3); os.set_inheritable(3, True)\n"
                    "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='x')\n"
                    "os.execv(sys.argv[1], sys.argv[1:])\n"
                )
                options = ("serve", "--config", "apis.yaml", "--workers", workers, "--access-log", "access.log")
                with open(os.path.join(directory, "stderr"), "w") as error:
                    process = subprocess.Popen(
                        (sys.executable, "-c", code, *LLMPROXY, *options, "--listen", "systemd:domain=INET:index=0"),
                        cwd=directory,
                        env=environment(MANAGEMENT_TOKEN=MANAGEMENT_TOKEN, DATABASE_PATH="x.db", AUDIT_ENABLED="false"),
                        pass_fds=[listening.fileno()],
                        stderr=error,
                    )
                self.addCleanup(process.wait, PATIENCE)
                self.addCleanup(process.kill)
                with socket.create_connection(listening.getsockname(), PATIENCE) as client:
                    client.settimeout(PATIENCE)
                    client.sendall(b"GET /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    answer = b"".join(iter(lambda: client.recv(65536), b""))
                self.assertTrue(answer.startswith(b"HTTP/1.1 200"), answer)
                process.terminate()
                self.assertEqual(process.wait(PATIENCE), 0)
                # Whoever comes now waits for the next process.
                socket.create_connection(listening.getsockname(), PATIENCE).close()
