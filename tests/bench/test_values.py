"""Tests for L{llmproxy.bench.values}."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.values import LoadSpec, Result, Target

SECRET = "sk-s3cret"


class TargetTests(SynchronousTestCase):
    def test_parts(self) -> None:
        """The port is the scheme's if the URL has none."""
        for url, parts in {
            "http://h/v1": ("h", 80, False),
            "https://h": ("h", 443, True),
            "http://[::1]:9/": ("::1", 9, False),
        }.items():
            target = Target("t", url)
            self.assertEqual((target.host, target.port, target.tls), parts, (url, parts))

    def test_request(self) -> None:
        """The bytes are a request that says its length and whom it asks."""
        request = Target("t", "http://h:9/v1?x=1", (("Authorization", "Bearer t"),)).request(b"{}")
        head, _, body = request.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        self.assertEqual((lines[0], body), (b"POST /v1?x=1 HTTP/1.1", b"{}"))
        for line in (b"Host: h:9", b"Content-Length: 2", b"Authorization: Bearer t"):
            self.assertIn(line, lines)

    def test_get(self) -> None:
        """A GET has no body and no length."""
        self.assertNotIn(b"Content", Target("t", "http://h", method="GET").request(b""))

    def test_query(self) -> None:
        """What is added to a query leaves it as it was."""
        self.assertEqual(Target("t", "http://h/a").at("b=1").url, "http://h/a?b=1")
        self.assertEqual(Target("t", "http://h/a?c=2").at("b=1").url, "http://h/a?c=2&b=1")

    def test_secrets(self) -> None:
        """No token is seen where a target or a load is printed."""
        target = Target("t", f"http://h/?key={SECRET}", (("x-api-key", SECRET),))
        spec = LoadSpec("closed", "h", 1, target.request(b"").decode())
        self.assertNotIn(SECRET, f"{target} {target.shown} {spec}")


class SpecTests(SynchronousTestCase):
    def test_there_and_back(self) -> None:
        """What a load process reads is what was written."""
        spec = LoadSpec("sse", "h", 1, "x\xff", pids=(1, 2), body="b", length=1)
        self.assertEqual(LoadSpec.from_json(json.loads(json.dumps(spec.to_json()))), spec)

    def test_unknown(self) -> None:
        """A key that means nothing is not passed over."""
        self.assertRaises(TypeError, LoadSpec.from_json, {"mode": "open", "hots": "h"})


def result(latency: int, **what: object) -> Result:
    made = Result(seconds=2.0)
    made.latency.record(latency)
    for name, value in what.items():
        setattr(made, name, value)
    return made


class ResultTests(SynchronousTestCase):
    def test_there_and_back(self) -> None:
        """So is what it answers."""
        one = result(5, errors={"closed": 2}, memory=(1, 2, 3), hits=4)
        again = Result.from_json(json.loads(json.dumps(one.to_json())))
        self.assertEqual(again.to_json(), one.to_json())

    def test_together(self) -> None:
        """Two processes' counts add up; what they saw of the same gateway does not."""
        total = result(5, errors={"closed": 2}, memory=(1, 9, 3), events=3, cpu=1.0, tool_cpu=0.5)
        total.add(result(7, errors={"closed": 1, "early": 1}, memory=(0, 0, 0), events=4, tool_cpu=0.7))
        self.assertEqual((total.completed, total.events, total.failed), (2, 7, 4))
        self.assertEqual((total.errors, total.memory), ({"closed": 3, "early": 1}, (1, 9, 3)))
        self.assertEqual((total.cpu, total.tool_cpu, total.seconds, total.per_second), (1.0, 0.7, 2.0, 1.0))

    def test_unfinished(self) -> None:
        """What was not answered counts in the latencies and not as carried."""
        self.assertEqual(result(5, unfinished=1).completed, 0)

    def test_nothing(self) -> None:
        """A run that measured nothing has a rate all the same."""
        self.assertEqual(Result().per_second, 0.0)
