"""Tests for L{llmproxy.workers.former}, with a real process."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.trial.unittest import TestCase

from llmproxy.workers.former import adopt
from llmproxy.workers.handover import FormerWorker

CODE = """
import os, sys
os.write(3, b'{"kind":"changed","what":"token","which":"t"}\\n')
line = sys.stdin.readline()
os.write(3, b'{"kind":"changed","what":"heard","which":"x"}\\n')
sys.stdin.readline()
"""


class Parent:
    """@ivar gone: fires with how a worker has ended."""

    clock = reactor

    def __init__(self) -> None:
        self.gone: Deferred[Any] = Deferred()
        self.passed: list[Any] = []
        self.waiting: list[tuple[int, Deferred[None]]] = []

    def ended(self, worker: Any, reason: Any) -> None:
        self.gone.callback(reason.value)

    def pass_on(self, teller: Any, kind: str, values: Any) -> None:
        self.passed.append(values["what"])
        for wanted, deferred in self.waiting:
            if len(self.passed) == wanted:
                deferred.callback(None)

    def after(self, count: int) -> Deferred[None]:
        deferred: Deferred[None] = Deferred()
        if len(self.passed) >= count:
            deferred.callback(None)
        else:
            self.waiting.append((count, deferred))
        return deferred


class FormerTests(TestCase):
    def adopted(self) -> tuple[Any, Any]:
        """A process that another program has started, as far as anybody can tell."""
        read_in, write_in = os.pipe()
        read_out, write_out = os.pipe()
        os.set_inheritable(write_out, True)
        process = subprocess.Popen(
            [sys.executable, "-c", f"import os; os.dup2({write_out}, 3)\n{CODE}"], stdin=read_in, pass_fds=[write_out]
        )
        # It is the worker's to wait for.
        process.returncode = 0
        os.close(read_in)
        os.close(write_out)
        parent: Any = Parent()
        return parent, adopt(reactor, parent, FormerWorker(process.pid, 1, write_in, read_out))

    async def test_speaks(self) -> None:
        """It is heard and told, and its end is noticed and waited for."""
        parent, worker = self.adopted()
        self.assertTrue(worker.serves)
        await parent.after(1)
        worker.tell("stop", seconds=1.0)
        await parent.after(2)
        self.assertEqual(parent.passed, ["token", "heard"])
        self.assertEqual(len(worker.pipes()), 2)
        worker.tell("stop", seconds=1.0)
        self.assertIsInstance(await parent.gone, ProcessDone)
        self.assertIsNone(worker.pid)

    async def test_killed(self) -> None:
        parent, worker = self.adopted()
        await parent.after(1)
        worker.kill()
        self.assertIsInstance(await parent.gone, ProcessTerminated)
