"""Tests for L{llmproxy.sinks.accesslog}."""

from __future__ import annotations

import json
import os
import stat
from decimal import Decimal

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.interfaces import IRecordSink
from llmproxy.record import Attribution
from llmproxy.sinks.accesslog import AccessLog, LogFile, level_of, line, text_line
from llmproxy.usage import UNKNOWN, Usage

from .records import a_record


class LineTests(SynchronousTestCase):
    def test_complete(self) -> None:
        """A line says who asked for what, how it ended, how long it took and how much it was."""
        self.assertEqual(
            json.loads(line(a_record(user_agent="OpenAI/Python"))),
            {
                "time": "2026-09-21T14:13:20.250Z",
                "request_id": "r-1",
                "client": "192.0.2.7",
                "method": "POST",
                "path": "/v1/chat/completions",
                "status": 200,
                "ended": "complete",
                "duration_ms": 12.3,
                "bytes_in": 120,
                "bytes_out": 300,
                "first_byte_ms": 10.1,
                "upstream_first_byte_ms": 10.0,
                "attempts": 1,
                "upstream_status": 200,
                "api": "openai",
                "endpoint": "/v1/chat/completions",
                "project_id": "p-1",
                "token_id": "t-1",
                "user_agent": "OpenAI/Python",
            },
        )

    def test_person(self) -> None:
        """Whose token it was, where somebody got it by signing in."""
        self.assertEqual(json.loads(line(a_record(person_id="o-1")))["person_id"], "o-1")

    def test_usage(self) -> None:
        """What was used, where it is known; 0 is known."""
        usage = Usage(input_tokens=9, cached_input_tokens=0, output_tokens=4, served_model="m-1")
        entry = json.loads(line(a_record(model="m", usage=usage, truncated=True)))
        expected = {
            "model": "m",
            "served_model": "m-1",
            "input_tokens": 9,
            "cached_input_tokens": 0,
            "output_tokens": 4,
            "truncated": True,
        }
        self.assertEqual({name: entry[name] for name in expected}, expected)
        self.assertFalse({"reasoning_tokens", "unknown"} & entry.keys())
        self.assertIs(json.loads(line(a_record(usage=UNKNOWN)))["unknown"], True)
        self.assertNotIn("unknown", json.loads(line(a_record())))

    def test_attribution(self) -> None:
        """For whom and for what, where a request says it."""
        said = Attribution("ann", "s-1", "curl", {"team": "search"}, {"k": "v"})
        entry = json.loads(line(a_record(attribution=said)))
        expected = {
            "user": "ann",
            "session": "s-1",
            "program": "curl",
            "tags": {"team": "search"},
            "metadata": {"k": "v"},
        }
        self.assertEqual({name: entry[name] for name in expected}, expected)
        self.assertEqual(json.loads(line(a_record(attribution=Attribution(program="curl"))))["program"], "curl")
        self.assertFalse({"user", "session", "program", "tags", "metadata"} & json.loads(line(a_record())).keys())

    def test_parts(self) -> None:
        """Parts of the tokens, sound and pictures; and that it is an estimate."""
        usage = Usage(cache_write_tokens=1, audio_input_tokens=2, audio_output_tokens=0, images=3, seconds=2.5)
        entry = json.loads(line(a_record(usage=usage, estimated=True)))
        names = ("cache_write_tokens", "audio_input_tokens", "audio_output_tokens", "images", "seconds", "estimated")
        self.assertEqual([entry[name] for name in names], [1, 2, 0, 3, 2.5, True])
        plain = json.loads(line(a_record(usage=Usage(input_tokens=1))))
        self.assertTrue(plain.keys().isdisjoint(names))

    def test_cost(self) -> None:
        """Money is a decimal number as a text, exact; what is not known is not there, and 0 is known."""
        entry = json.loads(line(a_record(cost=Decimal("0.0000001"), cost_saved=Decimal("1.50"))))
        self.assertEqual((entry["cost"], entry["cost_saved"]), ("0.0000001", "1.5"))
        self.assertEqual(json.loads(line(a_record(cost=Decimal(0))))["cost"], "0")
        self.assertFalse({"cost", "cost_saved"} & json.loads(line(a_record())).keys())

    def test_refused(self) -> None:
        """A refusal names its code, and leaves out what was never known."""
        entry = json.loads(
            line(
                a_record(
                    project_id="", token_id="", status=401, error_code="invalid_token", attempts=0, ended="refused"
                )
            )
        )
        self.assertEqual((entry["error_code"], entry["ended"]), ("invalid_token", "refused"))
        for absent in ("project_id", "token_id", "attempts", "upstream_status", "cache", "user_agent"):
            self.assertNotIn(absent, entry)

    def test_cause(self) -> None:
        """A failure of upstream names its cause, in both forms."""
        record = a_record(status=502, error_code="upstream_unreachable", cause="refused", ended="upstream_failed")
        self.assertEqual(json.loads(line(record))["cause"], "refused")
        self.assertIn(b" 502 upstream_unreachable(refused) ", text_line(record))

    def test_details(self) -> None:
        """What later layers learned stands beside the rest."""
        entry = json.loads(line(a_record(details={"usage": {"input_tokens": 3}})))
        self.assertEqual(entry["usage"], {"input_tokens": 3})

    def test_one_line(self) -> None:
        """Whatever a client writes into its fields, an exchange stays one line."""
        self.assertNotIn(b"\n", line(a_record(path="/a\nb", user_agent='x\r\n{"status":200}')))


class AccessLogTests(SynchronousTestCase):
    def test_one_write(self) -> None:
        """A batch is one write, a line an exchange."""
        writes: list[bytes] = []
        log = AccessLog(writes.append)
        verifyObject(IRecordSink, log)
        log.record_batch([a_record(request_id="a"), a_record(request_id="b")])
        [data] = writes
        self.assertTrue(data.endswith(b"\n"))
        self.assertEqual([json.loads(one)["request_id"] for one in data.splitlines()], ["a", "b"])

    def test_lost(self) -> None:
        """Lines that could not be written are counted."""

        def full(data: bytes) -> None:
            raise OSError(28, "No space left on device")

        log = AccessLog(full)
        self.assertRaises(OSError, log.record_batch, [a_record(), a_record()])
        self.assertEqual(log.lost, 2)


class LevelTests(SynchronousTestCase):
    def test_table(self) -> None:
        """What went wrong on our side or upstream's is an error, what was refused a warning."""
        for changes, expected in (
            ({}, "info"),
            ({"status": 404}, "warn"),
            ({"ended": "client_left"}, "warn"),
            ({"ended": "refused", "status": 401}, "warn"),
            ({"ended": "upstream_failed"}, "error"),
            ({"status": 503, "ended": "refused"}, "error"),
        ):
            self.assertEqual(level_of(a_record(**changes)), expected, changes)

    def test_least(self) -> None:
        """A log of errors has only errors."""
        writes: list[bytes] = []
        log = AccessLog(writes.append, "json", "error")
        log.record_batch([a_record()])
        log.record_batch([a_record(), a_record(request_id="bad", ended="timeout")])
        [data] = writes
        self.assertEqual([json.loads(one)["request_id"] for one in data.splitlines()], ["bad"])


class TextLineTests(SynchronousTestCase):
    def test_line(self) -> None:
        """A line that a person reads in one look."""
        self.assertEqual(
            text_line(a_record()), b"14:13:20 POST /v1/chat/completions 200 complete 12.3ms 300B openai r-1"
        )

    def test_one_line(self) -> None:
        """A path cannot break the line, nor colour the terminal."""
        made = text_line(a_record(path="/a\n\x1b[31mb"))
        self.assertEqual(made.translate(None, bytes(range(32))), made)


class LogFileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = self.mktemp()

    def content(self, path: str) -> bytes:
        with open(path, "rb") as file:
            return file.read()

    def test_private(self) -> None:
        """Only its owner reads the log: it tells who uses what."""
        log = LogFile(self.path)
        self.addCleanup(log.close)
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)

    def test_reopened(self) -> None:
        """A signal opens the file anew before a line needs it; standard output stays what it is."""
        path = self.mktemp()
        log = LogFile(path)
        self.addCleanup(log.close)
        log.write(b"one\n")
        os.rename(path, path + ".1")
        log.reopen()
        self.assertEqual(os.path.getsize(path), 0)
        log.write(b"two\n")
        with open(path, "rb") as new, open(path + ".1", "rb") as old:
            self.assertEqual((old.read(), new.read()), (b"one\n", b"two\n"))
        LogFile("-").reopen()

    def test_appends(self) -> None:
        """A restart goes on where the log ended."""
        for data in (b"one\n", b"two\n"):
            log = LogFile(self.path)
            log.write(data)
            log.close()
        self.assertEqual(self.content(self.path), b"one\ntwo\n")

    def test_rotated(self) -> None:
        """After logrotate has moved the file away, lines go to a new one; no signal is needed."""
        log = LogFile(self.path)
        self.addCleanup(log.close)
        log.write(b"one\n")
        os.rename(self.path, self.path + ".1")
        log.write(b"two\n")
        self.assertEqual((self.content(self.path + ".1"), self.content(self.path)), (b"one\n", b"two\n"))

    def test_back_by_itself(self) -> None:
        """A directory that was away for a while costs the lines of that while and nothing more."""
        os.mkdir(self.path)
        inside = os.path.join(self.path, "access.log")
        log = LogFile(inside)
        self.addCleanup(log.close)
        os.rename(self.path, self.path + ".away")
        self.assertRaises(OSError, log.write, b"lost\n")
        os.mkdir(self.path)
        log.write(b"kept\n")
        self.assertEqual(self.content(inside), b"kept\n")
