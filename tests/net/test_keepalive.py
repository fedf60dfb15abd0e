"""Tests for L{llmproxy.net.keepalive}."""

from __future__ import annotations

import socket
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.net.keepalive import IDLE, INTERVAL, PROBES, keep_alive


class Transport:
    """What has a socket, or wraps what has one."""

    def __init__(self, **attributes: Any) -> None:
        self.enabled: list[bool] = []
        vars(self).update(attributes)

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.enabled.append(enabled)


class KeepAliveTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.socket = socket.socket()
        self.addCleanup(self.socket.close)

    def test_soon(self) -> None:
        """A silent connection is asked after a minute, below TLS too."""
        for wrapped in (False, True):
            inner = Transport(socket=self.socket)
            transport = Transport(transport=inner) if wrapped else inner
            keep_alive(transport)
            self.assertEqual(transport.enabled, [True], wrapped)
            for name, value in (("TCP_KEEPIDLE", IDLE), ("TCP_KEEPINTVL", INTERVAL), ("TCP_KEEPCNT", PROBES)):
                if hasattr(socket, name):
                    self.assertEqual(
                        self.socket.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)), value, (name, value)
                    )

    def test_before_a_nat_forgets(self) -> None:
        """The shortest time in use after which a silent connection is forgotten is two minutes."""
        self.assertLess(IDLE + INTERVAL, 120)

    def test_no_socket(self) -> None:
        """A transport in memory, and a socket that is closed, are left as they are."""
        transport = Transport()
        keep_alive(transport)
        self.socket.close()
        keep_alive(Transport(socket=self.socket))
        self.assertEqual(transport.enabled, [True])
