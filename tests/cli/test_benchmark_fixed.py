"""The benchmark of the Go program, against a server of our own."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.benchmark_fixed import is_hit, upstream_seconds
from llmproxy.cli.main import cli


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, str, dict[str, str], bytes]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked.append((self.command, self.path, dict(self.headers.items()), body))
        status = 500 if len(self.asked) % 5 == 0 else 200
        self.send_response(status)
        self.send_header("X-UPSTREAM-REQUEST-START", "1000000")
        self.send_header("X-UPSTREAM-REQUEST-STOP", "2000000")
        self.send_header("Cache-Status", "llmproxy; hit; ttl=5")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST

    def log_message(self, *arguments: Any) -> None:
        pass


class FixedTests(SynchronousTestCase):
    def setUp(self) -> None:
        _Handler.asked = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        thread.start()
        self.addCleanup(thread.join, 5)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def invoke(self, *arguments: str, token: str = "sk-variable") -> Any:
        words = ["benchmark", "--base-url", self.url, "--endpoint", "/chat?x=1", *arguments]
        return CliRunner().invoke(cli, words, env={"PROXY_TOKEN": token})

    def test_fixed_number(self) -> None:
        """So many requests as were asked for, with the token and the body, and the table of the original."""
        ended = self.invoke("--token", "sk-s3cret", "-r", "10", "-c", "3", "--json", '{"model": "m"}', "--cache")
        self.assertEqual(ended.exit_code, 0, ended.output)
        self.assertEqual(len(_Handler.asked), 10)
        method, path, fields, body = _Handler.asked[0]
        self.assertEqual((method, path, body), ("POST", "/v1/chat?x=1", b'{"model": "m"}'))
        self.assertEqual(fields["Authorization"], "Bearer sk-s3cret")
        self.assertEqual(fields["Cache-Control"], "public, max-age=86400")
        self.assertTrue(fields["X-REQUEST-START"].isdecimal())
        for line in (
            "| Total requests        | 10                     |",
            "| Concurrency           | 3                      |",
            "| Success               | 8                      |",
            "| Failed                | 2                      |",
            "| Cache hits            | 10                     |",
            "| Upstream latency avg  | 1.000ms                |",
            "| 500                   | 2                      |",
        ):
            self.assertIn(line, ended.stdout)
        self.assertIn("everybody on this machine can see --token", ended.stderr)
        self.assertNotIn("s3cret", ended.output)

    def test_defaults(self) -> None:
        """One request by one worker, with the token of the variable; C{--debug} shows an answer."""
        ended = self.invoke("--debug", "--method", "GET")
        self.assertEqual(
            [(each[0], each[2]["Authorization"]) for each in _Handler.asked], [("GET", "Bearer sk-variable")]
        )
        self.assertIn("Status 200:\nResponse body: {}\nResponse headers:\n", ended.stdout)

    def test_refused(self) -> None:
        """What cannot be asked is said before anything is; where nothing answers, the status is 1."""
        self.assertEqual(self.invoke(token="").exit_code, 2)
        self.assertEqual(self.invoke("--json", "{x").exit_code, 1)
        self.assertEqual(self.invoke("-c", "1000", "-r", "1000").exit_code, 2)
        self.assertEqual(_Handler.asked, [])
        self.server.shutdown()
        self.server.server_close()
        ended = self.invoke("-r", "2")
        self.assertEqual(ended.exit_code, 1)
        self.assertIn("| Network error         | 2                      |", ended.stdout)


class AnswerTests(SynchronousTestCase):
    def test_upstream(self) -> None:
        """Upstream's time is of the fields of either program; nonsense is none."""
        for fields, seconds in (
            ({"X-UPSTREAM-REQUEST-START": "5", "X-UPSTREAM-REQUEST-STOP": "1000000005"}, 1.0),
            ({"Server-Timing": "cache;desc=x, upstream;dur=12.5"}, 0.0125),
            ({"Server-Timing": "upstream;dur=x"}, 0.0),
            ({"X-UPSTREAM-REQUEST-START": "5"}, 0.0),
            ({}, 0.0),
        ):
            self.assertEqual(upstream_seconds(fields), seconds, fields)

    def test_hits(self) -> None:
        """A hit is one by the field of either program."""
        for fields, hit in (
            ({"X-PROXY-CACHE": "conditional-hit"}, True),
            ({"X-PROXY-CACHE": "miss"}, False),
            ({"Cache-Status": "llmproxy; fwd=uri-miss"}, False),
            ({"Cache-Status": "llmproxy; hit; ttl=3"}, True),
            ({"Cache-Status": "llmproxy; fwd=miss; key=hit-x"}, False),
        ):
            self.assertEqual(is_hit(fields), hit, fields)
