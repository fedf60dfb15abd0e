"""A look at what answers at an address, as a command takes one."""

from __future__ import annotations

import os
import socket
import threading

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.redisoptions import RedisLocation, RedisOptions
from llmproxy.redis.probe import examine

INFO = b"# Memory\r\nmaxmemory_policy:allkeys-lru\r\n"


class ProbeTests(SynchronousTestCase):
    def examined(self, *replies: bytes, **said: object) -> str:
        """What is found of a server that gives these answers and then says nothing more."""
        path = f"/tmp/llmproxy-probe-{os.getpid()}-{id(self)}"
        self.heard: list[bytes] = []
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            self.addCleanup(lambda: os.path.exists(path) and os.unlink(path))
            server.listen()
            thread = threading.Thread(target=self._serve, args=(server, replies))
            thread.start()
            location = RedisLocation(path=path, **said)  # type: ignore[arg-type]
            try:
                return examine(RedisOptions(location, timeout=5.0)).replace(path, "PATH")
            finally:
                thread.join()
                os.unlink(path)

    def _serve(self, server: socket.socket, replies: tuple[bytes, ...]) -> None:
        connection, _ = server.accept()
        with connection:
            for each in replies:
                self.heard.append(connection.recv(4096))
                connection.sendall(each)

    def test_fine(self) -> None:
        """Nothing is said of one that evicts nothing, nor of one that may not be asked."""
        self.assertEqual(self.examined(b"$29\r\nmaxmemory_policy:noeviction\r\n\r\n"), "")
        self.assertEqual(self.examined(b"-NOPERM this user has no permissions\r\n"), "")

    def test_evicts(self) -> None:
        found = self.examined(
            b"+OK\r\n", b"+OK\r\n", b"$%d\r\n%s\r\n" % (len(INFO), INFO), password="s3cret", database=3
        )
        self.assertIn("unix://PATH: maxmemory-policy is allkeys-lru", found)
        self.assertIn(b"AUTH\r\n$6\r\ns3cret", self.heard[0])
        self.assertIn(b"SELECT\r\n$1\r\n3", self.heard[1])

    def test_refuses(self) -> None:
        """Its own words are shown, none of ours."""
        found = self.examined(b"-WRONGPASS invalid username-password pair\r\n", password="s3cret")
        self.assertEqual(found, "unix://PATH: refuses: WRONGPASS invalid username-password pair")
        self.assertIn("refuses: NOAUTH", self.examined(b"-NOAUTH Authentication required.\r\n"))

    def test_something_else(self) -> None:
        for reply in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b""):
            self.assertEqual(
                self.examined(reply), "unix://PATH: cannot be reached: what answers there is not Redis", reply
            )

    def test_nobody(self) -> None:
        """There is nothing at the address."""
        found = examine(RedisOptions(RedisLocation(path="/nowhere/redis.sock")))
        self.assertEqual(found, "unix:///nowhere/redis.sock: cannot be reached: No such file or directory")
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        found = examine(RedisOptions(RedisLocation("127.0.0.1", port)))
        self.assertEqual(found, f"redis://127.0.0.1:{port}/0: cannot be reached: Connection refused")
