"""Tests for L{llmproxy.web.http1.sending}, on transports without their sockets."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.web.http1.sending import unsent


class UnsentTests(SynchronousTestCase):
    def test_waiting(self) -> None:
        """What waits in Twisted's buffers counts, below TLS too; a socket that cannot tell counts as empty."""

        class Plain:
            dataBuffer = b"abcdef"
            offset = 2
            _tempDataLen = 3

            def getHandle(self) -> Any:
                raise OSError

        class Above(Plain):
            dataBuffer = b""
            transport = Plain()
            _appSendBuffer = (b"xy",)

        self.assertEqual((unsent(Plain()), unsent(Above())), (7, 9))
