"""Tests for L{llmproxy.workers.succession}; tests/integration/test_upgrades.py has whole proxies."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from llmproxy.app.settings import Settings
from llmproxy.config import APIConfig
from llmproxy.workers.handover import VARIABLE, HeldSocket, taken
from llmproxy.workers.program import Program, let_signals_in
from llmproxy.workers.succession import Succession, with_sockets
from llmproxy.workers.waiter import STATE
from tests.tables import row

# Only the one that is to serve has a handover.
SERVES = f"import os, sys\nif {VARIABLE!r} in os.environ: os.write(3, b'ready'); sys.stdin.read()"
DIES = f"import os, sys\nsys.exit({VARIABLE!r} in os.environ)"


class SuccessionTests(TestCase):
    def setUp(self) -> None:
        self.addCleanup(let_signals_in)
        self.fd = os.open("/dev/null", os.O_RDONLY)
        self.addCleanup(os.close, self.fd)
        self.retired = 0
        self.became: list[Any] = []

    def retire(self) -> Deferred[None]:
        self.retired += 1
        return succeed(None)

    def become(self, path: str, command: Any, env: dict[str, str]) -> Any:
        self.became.append((command, json.loads(env[STATE]), taken(env)))

    def succession(self, code: str) -> Succession:
        command = (sys.executable, "-c", code)
        held = [HeldSocket("--listen", "tcp:1", self.fd, 2)]
        program = Program(command, command, "/run/x.pid")
        become: Any = self.become
        return Succession(reactor, program, lambda: held, self.retire, execve=become)

    async def test_handed_over(self) -> None:
        """Once it serves, this one ends what it has begun, and becomes what waits for it, with its sockets."""
        await self.succession(SERVES).begin()
        self.assertEqual(self.retired, 1)
        [(command, state, left)] = self.became
        self.assertEqual(command[1:], ("-m", "llmproxy.workers.waiter"))
        self.assertEqual((state["command"][1], state["pidfile"]), ("-c", "/run/x.pid"))
        self.assertNotEqual(left.sockets[0].fd, self.fd)
        os.close(left.sockets[0].fd)
        os.kill(state["child"], signal.SIGKILL)
        os.waitpid(state["child"], 0)

    async def test_dies(self) -> None:
        """One that cannot serve, or not even start, changes nothing, and another one can follow."""
        for code in (DIES, "raise SystemExit('wrong')"):
            succession = self.succession(code)
            for _ in range(2):
                await succession.begin()
                self.assertEqual((self.retired, self.became), (0, []), code)

    def test_parent_waits(self) -> None:
        """Where a parent waits, its signal says that another one serves; who asks otherwise asks the parent."""
        clock: Any = Clock()
        clock.stopped = 0

        def stop() -> None:
            clock.stopped += 1

        clock.stop = stop
        held = [HeldSocket("--listen", "tcp:1", self.fd, 2)]
        succession = Succession(clock, Program((), ()), lambda: held, self.retire, waits=True)
        asked: list[Any] = []
        self.patch(os, "kill", lambda pid, number: asked.append((pid, number)))
        succession.ask()
        self.assertEqual((asked, self.retired), ([(os.getppid(), signal.SIGUSR2)], 0))
        succession.begin()
        self.assertEqual((self.retired, clock.stopped), (1, 1))


class WithSocketsTests(SynchronousTestCase):
    def test_table(self) -> None:
        """They are used where they are exactly what is wanted; else they are closed, and opened anew."""
        settings = Settings(APIConfig({}, ""), listen=["tcp:1"], manage_listen=["tcp:2"])
        for descriptions, used in (
            ((("--listen", "tcp:1"), ("--manage-listen", "tcp:2")), True),
            ((("--listen", "tcp:1"),), False),
            ((("--listen", "tcp:1"), ("--listen", "tcp:2")), False),
            ((), False),
        ):
            with row(self, descriptions):
                held = [HeldSocket(*each, os.open("/dev/null", os.O_RDONLY), 2) for each in descriptions]
                found = with_sockets(settings, held)
                self.assertEqual(bool(found.inherited), used)
                for each in held:
                    if used:
                        os.close(each.fd)
                    else:
                        self.assertRaises(OSError, os.fstat, each.fd)
