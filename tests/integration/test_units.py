"""The units of systemd: what systemd says of them, and the proxy as they have it, with the calls that they allow."""

from __future__ import annotations

import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from llmproxy.cli.main import cli

from ..tables import row
from .fronts import found
from .processes import LLMPROXY, MANAGEMENT_TOKEN, ROOT, environment

UNITS = Path(ROOT, "deploy", "systemd")
SERVICES = ("llmproxy.service", "llmproxy-dispatcher.service")
ANALYZE = shutil.which("systemd-analyze")
CALLS = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")


def settings(name: str) -> dict[str, list[str]]:
    """What a unit says, by name."""
    found: dict[str, list[str]] = {}
    for line in (UNITS / name).read_text().split("\n"):
        if re.match(r"[A-Z]\w*=", line):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def analyze(*arguments: str) -> str:
    assert ANALYZE is not None
    done = subprocess.run((ANALYZE, *arguments), capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def members(group: str) -> Iterator[str]:
    """The calls of one of systemd's groups, and of those within it."""
    for line in analyze("--no-pager", "syscall-filter", group).split("\n")[1:]:
        name = line.strip()
        if name.startswith("@"):
            yield from members(name)
        elif name and not name.startswith("#"):
            yield name


def allowed(filters: list[str]) -> set[str]:
    """What lines of C{SystemCallFilter} come to (systemd.exec(5)): the first says whether they allow or refuse."""
    calls = set(members("@default"))
    for line in filters:
        names = line.removeprefix("~").split()
        meant = {call for name in names for call in (members(name) if name.startswith("@") else [name])}
        calls = calls - meant if line.startswith("~") else calls | meant
    return calls


class UnitTests(SynchronousTestCase):
    def test_commands(self) -> None:
        """What they start is a command with these options."""
        for name in SERVICES:
            [line] = settings(name)["ExecStart"]
            program, command, *options = line.split()
            with row(name):
                self.assertEqual(program, "/opt/llmproxy/bin/llmproxy")
                found = cli.get_command(None, command)  # type: ignore[arg-type]
                assert found is not None
                known = {option for each in found.params for option in each.opts}
                self.assertLessEqual({each for each in options if each.startswith("--")}, known)

    def test_ends(self) -> None:
        """systemd waits longer than a drain takes."""
        unit = settings("llmproxy.service")
        [drain] = re.findall(r"--drain (\d+)s", unit["ExecStart"][0])
        self.assertGreater(int(unit["TimeoutStopSec"][0]), int(drain))

    def test_verified(self) -> None:
        """systemd understands every line."""
        if ANALYZE is None:
            raise SkipTest("needs systemd-analyze")
        directory = Path(os.path.abspath(self.mktemp()))
        directory.mkdir()
        for path in UNITS.iterdir():
            text = path.read_text().replace("/opt/llmproxy/bin/llmproxy", sys.executable)
            (directory / path.name).write_text(text)
        units = [str(directory / name) for name in (*SERVICES, "llmproxy.socket")]
        said = analyze("verify", "--man=no", *units).split("\n")
        self.assertEqual([line for line in said if "llmproxy" in line], [])

    def test_exposure(self) -> None:
        """What systemd holds against them is little: networks, and reading what all may read."""
        if ANALYZE is None:
            raise SkipTest("needs systemd-analyze")
        for name in SERVICES:
            said = analyze("security", "--no-pager", "--offline=true", str(UNITS / name))
            [figure] = re.findall(rf"exposure level for {name}: ([\d.]+)", said)
            with row(name):
                self.assertLess(float(figure), 2.0)

    def test_logrotate_and_directories(self) -> None:
        """The directories of the unit, of tmpfiles.d and of logrotate are the same."""
        made = {line.split()[1] for line in (UNITS / "tmpfiles.conf").read_text().split("\n") if line.startswith("d")}
        self.assertLessEqual({"/etc/llmproxy", "/var/lib/llmproxy", "/var/log/llmproxy", "/run/llmproxy"}, made)
        rotated = Path(ROOT, "deploy", "logrotate", "llmproxy").read_text()
        env = dict(each.partition("=")[::2] for each in settings("llmproxy.service")["Environment"])
        self.assertIn(f"{env['LOG_FILE']} ", rotated)


class RunTests(SynchronousTestCase):
    """The service as its unit has it, in a directory of ours."""

    def setUp(self) -> None:
        if ANALYZE is None or not CALLS.exists() or platform.machine() != "x86_64":
            raise SkipTest("needs systemd-analyze, and the numbers of the calls of x86-64 (linux-libc-dev)")
        # Short, as a path of a socket has to be.
        self.directory = Path(tempfile.mkdtemp(prefix="llmproxy-unit-"))
        self.addCleanup(shutil.rmtree, self.directory)
        for name in ("etc/llmproxy", "var/lib/llmproxy", "var/log/llmproxy", "run/llmproxy", "credentials"):
            (self.directory / name).mkdir(parents=True)
        credentials = {"management_token": MANAGEMENT_TOKEN, "encryption_key": b64encode(os.urandom(32)).decode()}
        for name, content in credentials.items():
            (self.directory / "credentials" / name).write_text(content)
        shutil.copyfile(Path(ROOT, "config", "apis.yaml"), self.directory / "etc/llmproxy/apis.yaml")
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.addCleanup(self.socket.close)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    def place(self, text: str) -> str:
        """A path of the system as it is here, and the directory of credentials."""
        text = text.replace("=%d/", f"={self.directory}/credentials/")
        return re.sub(r"(?<![\w/])/(etc|var/lib|var/log|run)/llmproxy", rf"{self.directory}/\1/llmproxy", text)

    def begin(self) -> subprocess.Popen[bytes]:
        unit = settings("llmproxy.service")
        env = dict(self.place(each).partition("=")[::2] for each in unit["Environment"])
        numbers = dict(re.findall(r"#define __NR_(\w+) (\d+)", CALLS.read_text()))
        calls = ",".join(numbers[name] for name in sorted(allowed(unit["SystemCallFilter"])) if name in numbers)
        _, *options = unit["ExecStart"][0].split()
        descriptor = self.socket.fileno()
        inner = (str(Path(__file__).with_name("restricted.py")), str(descriptor), calls, *LLMPROXY, *options)
        unprivileged = "setpriv --no-new-privs --bounding-set=-all --inh-caps=-all".split() if os.geteuid() == 0 else ()
        with open(self.directory / "said", "ab") as said:
            process = subprocess.Popen(
                (*unprivileged, sys.executable, *inner),
                cwd=self.directory / "var/lib/llmproxy",
                env=environment(**env),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                pass_fds=[descriptor],
                start_new_session=True,
            )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def ask(self) -> int:
        """The status of an answer; 0 for none."""
        try:
            with urllib.request.urlopen(f"{self.url}/ready", timeout=60) as response:
                return int(response.status)
        except TimeoutError:
            return 0

    def refused(self) -> None:
        """Make a line of the access log: a request without a token."""
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{self.url}/v1/models", timeout=60)
        caught.exception.close()

    def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(300):
            if condition():
                return
            time.sleep(0.1)
        raise AssertionError((self.directory / "said").read_text())

    def ended(self, process: subprocess.Popen[bytes]) -> int:
        process.send_signal(signal.SIGTERM)
        return process.wait(100)

    def test_serves(self) -> None:
        """It starts with what the unit allows, reads again at C{ExecReload}, and a client waits while it is away."""
        process = self.begin()
        said = self.directory / "said"
        self.assertEqual(self.ask(), 200, said.read_text())
        config = self.directory / "etc/llmproxy/apis.yaml"
        config.write_text(config.read_text() + "\nno_such_key: 1\n")
        process.send_signal(signal.SIGHUP)
        self.until(lambda: "no_such_key" in said.read_text())
        shutil.copyfile(Path(ROOT, "config", "apis.yaml"), config)
        self.assertEqual(self.ask(), 200)
        self.assertTrue((self.directory / "run/llmproxy/manage.sock").is_socket())
        self.assertEqual(self.ended(process), 0, said.read_text())
        # Nobody is there, and nobody is refused.
        answers: list[int] = []
        client = threading.Thread(target=lambda: answers.append(self.ask()))
        client.start()
        process = self.begin()
        client.join(100)
        self.assertEqual(answers, [200])
        self.assertEqual(self.ended(process), 0, said.read_text())
        self.assertNotIn("Operation not permitted", said.read_text())
        self.assertNotIn("Traceback", said.read_text())

    def test_upgraded(self) -> None:
        """C{SIGUSR2} has the next program take over: the same socket, the same process id, and no gap."""
        process = self.begin()
        self.assertEqual(self.ask(), 200)
        said = self.directory / "said"
        self.until(lambda: "workers: " in said.read_text())
        workers = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        before = workers.read_text().split()
        process.send_signal(signal.SIGUSR2)
        answers = []

        def changed() -> bool:
            answers.append(self.ask())
            now = workers.read_text().split()
            return len(now) >= len(before) > 0 and not {*now} & {*before}

        self.until(changed)
        self.assertEqual({*answers}, {200}, said.read_text())
        self.assertIsNone(process.poll())
        self.assertEqual(self.ended(process), 0)
        self.assertNotIn("Operation not permitted", said.read_text())

    def test_rotated(self) -> None:
        """logrotate moves the access log away, and workers go on in a new one, without a signal; audit files stay."""
        program = found("logrotate")
        if not program or os.geteuid() != 0:
            raise SkipTest("needs logrotate, and root for its su")
        process = self.begin()
        log = self.directory / "var/log/llmproxy/access.log"
        self.assertEqual(self.ask(), 200)
        self.refused()
        self.until(lambda: log.exists() and log.read_text().count("\n") == 1)
        for name in ("audit.log", "events.audit.log"):
            (log.parent / name).write_text("chain\n")
        (log.parent / "events-a.jsonl").write_text("{}\n")
        text = self.place(Path(ROOT, "deploy", "logrotate", "llmproxy").read_text())
        config = self.directory / "logrotate.conf"
        config.write_text(text.replace("su llmproxy llmproxy", "su root root"))
        # logrotate reads nothing that others could have written.
        config.chmod(0o644)
        command = (program, "--force", "--verbose", "--state", str(self.directory / "state"), str(config))
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse(log.exists())
        for _ in range(4):
            self.refused()
        moved = sorted(path.name for path in log.parent.iterdir())
        self.until(lambda: log.exists() and log.read_text().count("\n") == 4)
        [before] = [path for path in log.parent.iterdir() if path.name.startswith("access.log-")]
        self.assertEqual(before.read_text().count("\n"), 1, moved)
        self.assertTrue([name for name in moved if name.startswith("events-a.jsonl-")])
        self.assertLessEqual({"audit.log", "events.audit.log"}, set(moved))
        self.assertFalse([name for name in moved if "audit.log-" in name])
        self.assertEqual(self.ended(process), 0)
