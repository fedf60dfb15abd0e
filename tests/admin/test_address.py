"""What programs are given as their base URL."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.admin.address import apis_address


class AddressTests(SynchronousTestCase):
    def test_said(self) -> None:
        """Beside the pages it is their own; elsewhere the port of the APIs at the same host, if that can be."""
        local = "tcp:8080:interface=127.0.0.1"
        for listen, scheme, host, beside, address in (
            ((), "https", "llm.example", True, "https://llm.example"),
            (("tcp:8080",), "http", "ops.example:9000", False, "http://ops.example:8080"),
            (("ssl:8443:privateKey=k:certKey=c",), "http", "localhost:9000", False, "https://localhost:8443"),
            (("unix:/run/x.sock", "tcp:80"), "http", "[::1]:9000", False, "http://[::1]:80"),
            ((local,), "http", "localhost:9000", False, "http://localhost:8080"),
            ((local,), "http", "ops.example", False, ""),
            (("unix:/run/x.sock",), "http", "localhost", False, ""),
            (("tcp:8080",), "http", "", False, ""),
            ((), "http", "", True, ""),
        ):
            self.assertEqual(apis_address(listen, scheme, host, beside=beside), address, (listen, host))
