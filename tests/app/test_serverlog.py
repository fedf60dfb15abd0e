"""Tests for L{llmproxy.app.serverlog}."""

from __future__ import annotations

import json
import os
from typing import Any

from twisted.internet.protocol import Factory
from twisted.logger import ILogObserver, Logger, LogLevel, LogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.app.serverlog import ServerLog, twistd_write, warning_line
from llmproxy.core.masking import Masking

SECRET = "sk-WfppfE41yy3GctEDqEuaIw"


class ServerLogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.lines: list[str] = []

    def logger(self, form: str = "text", level: str = "info", masking: Masking | None = None) -> Logger:
        self.log = ServerLog(self.lines.append, form, level, masking)
        return Logger("llmproxy.x", observer=LogPublisher(self.log))

    def fail(self, logger: Logger, text: str) -> None:  # type: ignore[override]
        try:
            raise ValueError(text)
        except ValueError:
            logger.failure("could not")

    def test_text(self) -> None:
        """Time, place and level, as twistd writes them; a traceback is below, indented."""
        logger = self.logger()
        logger.info("serves {what}", what="a")
        self.fail(logger, "bad")
        self.assertRegex(self.lines[0], r"^\d{4}-\d\d-\d\dT\S+ \[llmproxy\.x#info\] serves a\n$")
        self.assertIn("[llmproxy.x#critical] could not\n\tTraceback", self.lines[1])
        self.assertTrue(all(line.startswith("\t") for line in self.lines[1].splitlines()[1:]))

    def test_json(self) -> None:
        """An object a line, whatever stands in it."""
        logger = self.logger("json")
        logger.warn('a "quoted"\nline {x}', x="é")
        self.fail(logger, "bad")
        for line in self.lines:
            self.assertEqual(line.count("\n"), 1, line)
        first, second = map(json.loads, self.lines)
        self.assertEqual((first["level"], first["logger"], first["pid"]), ("warn", "llmproxy.x", os.getpid()))
        self.assertEqual(first["message"], 'a "quoted"\nline é')
        self.assertIn("ValueError: bad", second["traceback"])

    def test_levels(self) -> None:
        """LOG_LEVEL is the least that is written."""
        said = ("debug", "info", "warn", "error", "critical")
        for level, kept in (("debug", said), ("info", said[1:]), ("warn", said[2:]), ("error", said[3:])):
            self.lines.clear()
            logger = self.logger("json", level)
            for name in said:
                logger.emit(LogLevel.lookupByName(name), "x")
            self.assertEqual(tuple(json.loads(line)["level"] for line in self.lines), kept, (level, kept))

    def test_masked(self) -> None:
        """No secret is in a message or a traceback, in either form, and what is masked is still JSON."""
        for form in ("text", "json"):
            logger = self.logger(form, masking=Masking(["management-canary"]))
            logger.error("for {path}", path=f"/v1/{SECRET}?x=Bearer\\ abc management-canary")
            logger.error('the header "Authorization: Bearer {x}"', x=SECRET)
            self.fail(logger, f"cannot read {SECRET}")
        text = "".join(self.lines)
        self.assertNotIn(SECRET, text)
        self.assertNotIn("management-canary", text)
        self.assertEqual(len([json.loads(line) for line in self.lines[3:]]), 3)

    def test_no_forged_lines(self) -> None:
        """What a client sent begins no line of its own."""
        self.logger().error("for {path}", path=f"/v1/%0A2026-01-01 [llmproxy] forged {SECRET}")
        self.logger().error("for {path}", path="a\n2026-01-01 [llmproxy] forged")
        for line in self.lines:
            self.assertEqual([each for each in line.splitlines() if each.startswith("2026-01-01")], [], line)

    def test_noise(self) -> None:
        """No line is about an object in memory, nor about a port that the start has named already."""
        logger = self.logger()
        factory = Factory()
        logger.info("Starting factory {factory!r}", factory=factory)
        logger.info("Stopping factory {factory!r}", factory=factory)
        for text in ("ProxySite starting on 8080", "ProxySite (TLS) starting on 8443", "(TCP Port 8080 Closed)",
                     "ProxySite starting on '/run/x.sock'", "(Port 8080 Closed)"):  # fmt: skip
            logger.info("{log_text}", log_text=text)
        self.assertEqual(self.lines, [])
        logger.info("{log_text}", log_text="something starting on its own account")
        self.assertEqual(len(self.lines), 1)

    def test_configured_later(self) -> None:
        """A worker hears of its options after it has begun to log."""
        logger = self.logger()
        logger.info("a")
        self.log.configure("json", "error")
        logger.info("b")
        logger.error("c")
        self.assertEqual((len(self.lines), json.loads(self.lines[1])["message"]), (2, "c"))

    def test_interface(self) -> None:
        verifyObject(ILogObserver, ServerLog(self.lines.append))

    def test_warning(self) -> None:
        """What is said before there is a log is a line of it all the same."""
        found = json.loads(warning_line("weak", 0.0))
        self.assertEqual((found["level"], found["message"], found["time"][:10]), ("warn", "weak", "1970-01-01"))


class TwistdTests(SynchronousTestCase):
    def test_file(self) -> None:
        """In the background a file of its owner's, found again after it was renamed."""
        path = os.path.abspath(self.mktemp())
        write: Any = twistd_write({"logfile": path})
        write("a\n")
        os.rename(path, path + ".1")
        write("b\n")
        with open(path) as new, open(path + ".1") as old:
            self.assertEqual((old.read(), new.read()), ("a\n", "b\n"))
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)

    def test_foreground(self) -> None:
        """In the foreground standard output, unless a file is named."""
        self.assertIsNotNone(twistd_write({"nodaemon": True, "logfile": None}))
        self.assertFalse(os.path.exists("twistd.log"))

    def test_left_to_twistd(self) -> None:
        """Who names a logger or syslog gets it; a daemon that should log to stdout is told by twistd that it cannot."""
        for options in ({"logger": "x"}, {"syslog": True}, {"logfile": "-"}):
            self.assertIsNone(twistd_write(options), options)
