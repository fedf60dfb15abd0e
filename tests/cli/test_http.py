"""Where a server is."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.http import parse_address

from ..tables import row


class AddressTests(SynchronousTestCase):
    def test_urls(self) -> None:
        """With and without port and path; a slash at the end changes nothing."""
        for text, scheme, host, port, path in (
            ("http://localhost:8080", "http", "localhost", 8080, ""),
            ("http://localhost:8080/", "http", "localhost", 8080, ""),
            ("https://proxy.example/llm/", "https", "proxy.example", None, "/llm"),
            ("http://[::1]:9000", "http", "::1", 9000, ""),
        ):
            found = parse_address(text)
            self.assertEqual(
                (found.scheme, found.host, found.port, found.path),
                (scheme, host, port, path),
                (text, scheme, host, port, path),
            )
            self.assertEqual(found.socket, "", (text, scheme, host, port, path))

    def test_sockets(self) -> None:
        """A Unix socket, in the two ways people write one; a path may follow in the second."""
        for text in ("unix:/run/x.sock", "unix:///run/x.sock", "http+unix://%2Frun%2Fx.sock"):
            self.assertEqual((parse_address(text).socket, parse_address(text).path), ("/run/x.sock", ""), text)
        self.assertEqual(parse_address("http+unix://%2Frun%2Fx.sock/llm").path, "/llm")

    def test_local(self) -> None:
        """What is sent to the loopback or a socket stays on this machine; a name that only looks like it does not."""
        local = ("http://localhost:1", "http://127.0.0.1", "http://127.8.0.1:1", "http://[::1]", "unix:/x")
        for text in local:
            self.assertTrue(parse_address(text).local, text)
        for text in ("http://10.0.0.1", "https://localhost.example", "http://127.0.0.1.example", "http://0.0.0.0"):
            self.assertFalse(parse_address(text).local, text)

    def test_refused(self) -> None:
        """What is no address is told without repeating it: it may hold a password."""
        for text in (
            "",
            "localhost:8080",
            "ftp://x",
            "http://",
            "http://x:99999",
            "http://user:canary@x",
            "http://x/?canary=1",
            "http://x/#canary",
            "http://x/\r\ncanary",
        ):
            with row(text):
                self.assertNotIn("canary", str(self.assertRaises(ValueError, parse_address, text)))
