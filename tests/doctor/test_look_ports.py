"""A look at ports."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from llmproxy.core.doctor.ports import PortFacts
from llmproxy.doctor.look_ports import holder_of, holder_of_path, look_at_ports

from ..tables import row
from .subjects import SubjectTestCase


def proxy(connection: socket.socket) -> None:
    """Answers as ours does."""
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nalive\n")


def another(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")


class PortsTests(SubjectTestCase):
    def look(self, *listen: str) -> list[PortFacts]:
        facts = look_at_ports(self.subject(options={"listen": listen}))
        return [each for each in facts if each.option == "--listen"]

    def state(self, listen: str) -> str:
        (found,) = self.look(listen)
        return found.state

    def test_free(self) -> None:
        """What is free stays free."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        (found,) = self.look(f"tcp:{port}:interface=127.0.0.1")
        self.assertEqual((found.state, found.description), ("free", f"tcp:{port}:interface=127.0.0.1"))
        socket.create_server(("127.0.0.1", port)).close()

    def test_taken(self) -> None:
        """By a proxy, or by something else, which is named where that can be seen."""
        for serve, state in ((proxy, "ours"), (another, "taken")):
            (found,) = self.look(f"tcp:{self.served(serve)}:interface=127.0.0.1")
            with row(state):
                self.assertEqual(found.state, state)
                if os.path.exists("/proc/net/tcp"):
                    self.assertIn(f"(process {os.getpid()})", found.holder)

    def test_address(self) -> None:
        """One that is none of this machine's (RFC 5737)."""
        self.assertEqual(self.state("tcp:8080:interface=192.0.2.7"), "absent")

    def test_unix(self) -> None:
        """A socket that is free, left behind, served, in a directory that is not there, or no socket."""
        path = f"/tmp/llmproxy-ports-{os.getpid()}"
        self.addCleanup(Path(path).unlink, missing_ok=True)
        self.assertEqual(self.state(f"unix:{path}"), "free")
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.close()
        self.assertEqual(self.state(f"unix:{path}"), "stale")
        os.unlink(path)
        self.served(proxy, path)
        (found,) = self.look(f"unix:{path}:mode=660")
        self.assertEqual(found.state, "ours")
        self.assertEqual(self.state(f"unix:{self.directory}/none/s"), "absent")
        self.assertEqual(self.state(f"unix:{self.file('plain')}"), "absent")

    def test_others(self) -> None:
        """What the start alone can try, and what has no certificates."""
        self.assertEqual(self.state("systemd:domain=INET:index=0"), "unknown")
        (found,) = self.look("tls:8443")
        self.assertEqual(found.state, "unknown")
        self.assertIn("certificate", found.why)

    def test_no_keys(self) -> None:
        """Paths of keys are not shown."""
        self.assertNotIn("k.pem", repr(self.look("ssl:0:privateKey=k.pem:certKey=c.pem")))

    def test_holder(self) -> None:
        """Found in the kernel's tables; of a socket that nobody seems to have nothing is said."""
        root = Path(self.directory)
        line = "  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 4711 1 0"
        (root / "net").mkdir()
        (root / "net" / "tcp").write_text(f"header\n{line}\n")
        (root / "net" / "unix").write_text("header\n00: 00000002 0 00010000 0001 01 815 /run/a b.sock\n")
        for process, inode in (("12", "4711"), ("13", "815")):
            (root / process / "fd").mkdir(parents=True)
            (root / process / "comm").write_text(f"program{process}\n")
            os.symlink(f"socket:[{inode}]", root / process / "fd" / "3")
        self.assertEqual(holder_of(8080, root), "program12 (process 12)")
        self.assertEqual(holder_of(8081, root), "")
        self.assertEqual(holder_of_path("/run/a b.sock", root), "program13 (process 13)")
        self.assertEqual(holder_of(8080, root / "none"), "")
