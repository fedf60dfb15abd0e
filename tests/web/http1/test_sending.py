"""Tests for L{llmproxy.web.http1.sending}, on transports without their sockets."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.web.http1.sending import Outflow, unsent


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


class OutflowTests(SynchronousTestCase):
    def test_moving(self) -> None:
        """A peer takes something if there is less or more than before, and something is left that it could take."""

        class Slow:
            dataBuffer = b""
            offset = _tempDataLen = 0

            def getHandle(self) -> Any:
                raise OSError

        transport = Slow()
        outflow = Outflow(transport)
        seen = []
        for size in (0, 5, 5, 3, 3, 0, 0, 4):
            transport.dataBuffer = b"x" * size
            seen.append(outflow.is_moving())
        self.assertEqual(seen, [False, True, False, True, False, False, False, True])
        outflow.note()
        self.assertFalse(outflow.is_moving())
