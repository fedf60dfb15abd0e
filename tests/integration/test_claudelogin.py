"""Somebody signs in by C{/login} of the real Claude Code: its own screen, a real OpenID provider, a real browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest

from . import agentprograms
from .agentprograms import CLAUDE
from .agentupstream import HELLO
from .processes import free_port
from .terminal import Terminal
from .test_signin import PATIENCE, SignInTestCase

_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?<>=]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|[@-_=>78])")

_UP, _ENTER = "\x1b[A", "\r"


def _shown(text: str) -> str:
    """What stands on a screen, without the blanks: programs skip these by moving the cursor."""
    return re.sub(r"\s+", "", _ESCAPES.sub("", text))


class Screen(Terminal):
    """A terminal in which a program draws."""

    def until(self, words: str, seconds: float = PATIENCE) -> str:
        """Everything that was drawn since the last time, when C{words} are in it; without blanks."""
        wanted, end = _shown(words), time.monotonic() + seconds
        while wanted not in _shown(self._unread):
            if time.monotonic() > end or (not self._read(1.0) and self.process.poll() is not None):
                said = _shown(self.seen + self._unread)[-3000:]
                raise AssertionError(f"{words!r} never came, status {self.process.poll()}: {said}")
        found = _shown(self._unread)
        self.seen, self._unread = self.seen + self._unread, ""
        return found

    def press(self, key: str, words: str, seconds: float = PATIENCE) -> None:
        """Press a key until C{words} are drawn: what has just appeared takes none yet."""
        end = time.monotonic() + seconds
        while self._read(1.0) and time.monotonic() < end:
            pass
        self.seen, self._unread = self.seen + self._unread, ""
        self.type(key)
        while _shown(words) not in _shown(self._unread):
            if time.monotonic() > end:
                raise AssertionError(f"{words!r} never came: {_shown(self.seen + self._unread)[-3000:]}")
            if not self._read(5.0):
                self.type(key)

    def signed_in(self, seconds: float = PATIENCE) -> None:
        """
        Press Enter until the program goes on: it takes no key in the moment in which it says that it is connected.
        """
        end = time.monotonic() + seconds
        while self.process.poll() is None and "Loginsuccessful" not in _shown(self._unread):
            if time.monotonic() > end:
                raise AssertionError(f"it goes on: {_shown(self.seen + self._unread)[-3000:]}")
            if not self._read(2.0) and self.process.poll() is None:
                self.type(_ENTER)


class ClaudeLoginTestCase(SignInTestCase):
    """
    What Claude Code reads of its machine, C{/etc/claude-code}, is there in a view of the files of its own: nothing of
    this machine changes.
    """

    def setUp(self) -> None:
        if agentprograms.why_not():
            raise SkipTest(agentprograms.why_not())
        self.files = os.path.abspath(self.mktemp())
        shutil.copytree("/etc", os.path.join(self.files, "etc"), symlinks=True, ignore=_unreadable)
        self.own_view = ("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc && exec "$@"', f"{self.files}/etc")
        try:
            subprocess.run((*self.own_view, "true"), check=True, capture_output=True, timeout=60)
        except (OSError, subprocess.CalledProcessError):
            raise SkipTest("no view of the files of its own here: it takes unshare and mount, as root") from None
        super().setUp()

    def log_in(self) -> Screen:
        """A session of Claude Code in which somebody has signed in, and been answered."""
        managed = os.path.join(self.files, "etc", "claude-code", "managed-settings.json")
        words = ("agents", "claude", "--url", self.address, "--gateway", "--model", "claude-sonnet-4-5")
        written = self.command(*words, "--file", managed)
        self.assertEqual(written.returncode, 0, written.stderr)
        kept = Path(self.home, ".claude.json")
        kept.write_text(
            json.dumps({"hasCompletedOnboarding": True, "projects": {self.home: {"hasTrustDialogAccepted": True}}})
        )
        screen = self.screen()
        screen.until("Not logged in")
        screen.type("/login")
        screen.until("Sign in with your")
        screen.type(_ENTER)
        self.assertIn(f"{self.address}/anthropic", screen.until("Press Enter to connect"))
        screen.type(_ENTER)
        screen.until("No, go back")
        screen.press(_UP, "❯")
        screen.type(_ENTER)
        found = re.search(r"([A-Z]{4}(?:-[A-Z]{4})+)", screen.until("Waiting for sign-in"))
        assert found is not None, "a code"
        page = self.page()
        page.goto(f"{self.address}/device")
        page.fill("#user_code", found[1])
        page.click("text=Go on")
        page.click("text=Go on with Corporate account")
        page.fill("[name=login]", "bob")
        page.fill("[name=password]", "any")
        page.click("[type=submit]")
        page.wait_for_url(re.compile(f"{self.address}/device/.*"))
        self.assertIn("Claude Code (", page.inner_text("main"))
        page.click("[value=allow]")
        screen.until("Connected to")
        screen.signed_in()
        screen = self.screen()
        screen.until("Cloud gateway")
        screen.type("Say hello")
        screen.type(_ENTER)
        # What stands before an answer; of its letters those that stood there already are not drawn again.
        screen.until("●")
        return screen

    def program_environment(self) -> dict[str, Any]:
        """Nothing of it gets out of this machine."""
        closed = f"http://127.0.0.1:{free_port()}"
        return {
            "HOME": self.home,
            "BROWSER": "true",
            "HTTPS_PROXY": closed,
            "HTTP_PROXY": closed,
            "NO_PROXY": "127.0.0.1,localhost",
            "CLAUDE_CODE_MAX_RETRIES": "1",
        }

    def screen(self) -> Screen:
        screen = Screen((*self.own_view, str(CLAUDE)), self.home, **self.program_environment())
        self.addCleanup(_closed, screen)
        return screen

    def claude_says(self, prompt: str) -> str:
        found = subprocess.run(
            (*self.own_view, str(CLAUDE), "-p", prompt),
            cwd=self.home,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **self.program_environment()},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return found.stdout + found.stderr


class ClaudeLoginTests(ClaudeLoginTestCase):
    def test_login(self) -> None:
        """
        From C{/login} by the code and the consent to an answer, to the next pair of tokens by itself, and to the end of
        it when the person is shut out: what they read then.
        """
        self.log_in()
        # It has signed in for good, and what it was given is over: it gets the next pair.
        credentials = Path(self.home, ".claude", ".credentials.json")
        before = json.loads(credentials.read_text())
        before["enterpriseGateway"]["expiresAt"] = 0
        credentials.write_text(json.dumps(before))
        said = self.claude_says("Say hello")
        self.assertIn(HELLO, said)
        after = json.loads(credentials.read_text())["enterpriseGateway"]
        self.assertNotEqual(after["jwt"], before["enterpriseGateway"]["jwt"])
        [person] = self.manage("GET", "/people")
        self.manage("POST", f"/people/{person['id']}/revoke")
        said = self.claude_says("Say hello")
        self.assertIn("claude auth login", said)
        self.assertNotIn(HELLO, said)
        actions = json.dumps(self.manage("GET", "/audit"))
        for action in ("device.allow", "device.token", "device.refresh"):
            self.assertIn(action, actions, action)


class ClaudeProcessesTests(ClaudeLoginTestCase):
    # What lasts less than five minutes Claude Code has refreshed before each request.
    sign_in = "{token_lifetime: 2m}"

    def test_two(self) -> None:
        """
        Two sessions of one sign-in, each with what it has read in its memory: the one that comes with an old refresh
        token takes what the other has stored, and nobody signs in again.
        """
        screen = self.log_in()
        for _ in range(2):
            self.assertIn(HELLO, self.claude_says("Say hello"))
        screen.type("Say hello")
        screen.type(_ENTER)
        screen.until("●")
        self.assertIn(HELLO, self.claude_says("Say hello"))
        reasons = [
            each["reason"] for each in self.manage("GET", "/audit?action=device.refresh&outcome=denied")["events"]
        ]
        self.assertEqual(set(reasons), {"stale"})
        self.assertEqual(self.manage("GET", "/audit?action=device.reuse")["events"], [])


def _closed(screen: Screen) -> None:
    try:
        screen.close()
    except OSError:
        """It is closed already."""


def _unreadable(directory: str, names: list[str]) -> list[str]:
    """What a copy leaves out: sockets and the like, what nobody here may read."""
    paths = ((name, os.path.join(directory, name)) for name in names)
    return [name for name, path in paths if not os.path.islink(path) and not os.access(path, os.R_OK)]
