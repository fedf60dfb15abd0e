"""Tests for L{llmproxy.workers.waiter}, as a real process; tests/integration/test_upgrades.py has whole proxies."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.workers.handover import VARIABLE, Handover, HeldSocket
from llmproxy.workers.waiter import STATE

PATIENCE = 30.0

# Says what it hears into a file that is named for its process, and ends as it is told.
CHILD = """
import os, signal, sys, time
def heard(number, frame):
    with open(f"heard-{os.getpid()}", "a") as file: file.write(signal.Signals(number).name + chr(10))
    if number in (signal.SIGTERM, signal.SIGUSR2): os._exit(5 if number == signal.SIGTERM else 0)
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2): signal.signal(number, heard)
if READY:
    import base64, json
    left = json.loads(base64.b64decode(os.environ["LLMPROXY_HANDOVER"]))
    os.fstat(left["sockets"][0]["fd"])
    if os.path.exists("dies"): sys.exit(1)
    os.write(left["ready"], b"ready")
open(f"up-{os.getpid()}", "w").close()
while True: time.sleep(1)
"""

# The child is started, and then this process becomes what waits for it.
PARENT = """
import json, os, signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]])
state = json.dumps({"child": child.pid, "command": [sys.executable, "-c", sys.argv[2]], "pidfile": "pid"})
open("pid", "w").write(str(os.getpid()))
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2])
os.execve(sys.executable, [sys.executable, "-m", "llmproxy.workers.waiter"], {**os.environ, %r: state})
""" % (STATE,)  # noqa: UP031


class WaiterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = self.mktemp()
        os.mkdir(self.directory)
        self.path = os.path.abspath(os.path.join(self.directory, "s"))
        if len(self.path) > 100:
            self.path = f"/tmp/llmproxy-waiter-{os.getpid()}"
        listening = socket.socket(socket.AF_UNIX)
        self.addCleanup(listening.close)
        listening.bind(self.path)
        listening.listen()
        left = Handover((HeldSocket("--listen", "unix:s", listening.fileno(), int(socket.AF_UNIX)),))
        self.waiter = subprocess.Popen(
            [sys.executable, "-c", PARENT, CHILD.replace("READY", "False"), CHILD.replace("READY", "True")],
            cwd=self.directory,
            env={**os.environ, VARIABLE: left.packed(), "PYTHONPATH": os.pathsep.join(sys.path)},
            pass_fds=[listening.fileno()],
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.addCleanup(self.end)
        self.first = self.next_up()

    def end(self) -> None:
        """The waiter, and whatever it waits for."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.waiter.pid, signal.SIGKILL)
        self.waiter.wait(PATIENCE)
        assert self.waiter.stderr is not None
        self.waiter.stderr.close()

    def next_up(self) -> int:
        """The process that has come up last, and was not seen before."""
        ends = time.monotonic() + PATIENCE
        while True:
            found = [name for name in os.listdir(self.directory) if name.startswith("up-")]
            if found:
                os.unlink(os.path.join(self.directory, found[0]))
                return int(found[0].partition("-")[2])
            self.assertLess(time.monotonic(), ends)
            time.sleep(0.02)

    def heard(self, pid: int, count: int) -> list[str]:
        path, ends = os.path.join(self.directory, f"heard-{pid}"), time.monotonic() + PATIENCE
        while True:
            if os.path.exists(path):
                with open(path) as file:
                    lines = file.read().split()
                if len(lines) >= count:
                    return lines
            self.assertLess(time.monotonic(), ends)
            time.sleep(0.02)

    def test_signals(self) -> None:
        """What is sent to it is passed on, and it ends as the proxy does, leaving neither pidfile nor socket."""
        for number, name in ((signal.SIGHUP, "SIGHUP"), (signal.SIGUSR1, "SIGUSR1")):
            self.waiter.send_signal(number)
            self.assertEqual(self.heard(self.first, 1 if name == "SIGHUP" else 2)[-1], name, name)
        self.waiter.terminate()
        self.assertEqual(self.waiter.wait(PATIENCE), 5)
        self.assertFalse(os.path.exists(os.path.join(self.directory, "pid")))
        self.assertFalse(os.path.exists(self.path))

    def test_upgrades(self) -> None:
        """Each successor takes over, the one before drains, and one that cannot serve changes nothing."""
        self.waiter.send_signal(signal.SIGUSR2)
        second = self.next_up()
        self.assertEqual(self.heard(self.first, 1), ["SIGUSR2"])
        dies = os.path.join(self.directory, "dies")
        open(dies, "w").close()
        self.waiter.send_signal(signal.SIGUSR2)
        assert self.waiter.stderr is not None
        self.assertIn("serves", self.waiter.stderr.readline())
        self.assertIn("everything stays as it was", self.waiter.stderr.readline())
        os.unlink(dies)
        self.waiter.send_signal(signal.SIGUSR2)
        third = self.next_up()
        self.assertEqual(self.heard(second, 1), ["SIGUSR2"])
        self.waiter.terminate()
        self.assertEqual(self.waiter.wait(PATIENCE), 5)
        self.assertEqual(self.heard(third, 1), ["SIGTERM"])

    def test_killed(self) -> None:
        """The status says so as a shell would."""
        os.kill(self.first, signal.SIGKILL)
        self.assertEqual(self.waiter.wait(PATIENCE), 128 + signal.SIGKILL)
