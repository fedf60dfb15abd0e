"""The verdict on the way to upstreams."""

from __future__ import annotations

from attrs import evolve

from llmproxy.core.doctor.reach import DAY, ReachFacts, judge_reach

from .verdicts import VerdictTestCase

GOOD = ReachFacts("openai", "openai", "api.openai.com:443", addresses=2, took=0.08, expires_in=60 * DAY)


class ReachTests(VerdictTestCase):
    def test_table(self) -> None:
        name = "openai (api.openai.com:443)"
        self.judged(
            judge_reach,
            [
                (None, [("skipped", "--offline")]),
                ((), [("skipped", "no upstream")]),
                ((GOOD,), [("ok", f"{name}: TLS stands after 80 ms")]),
                ((evolve(GOOD, upstream="eu"),), [("ok", "openai eu (api.openai.com:443)")]),
                ((evolve(GOOD, secure=False),), [("ok", "the connection stands")]),
                ((evolve(GOOD, proxy="p:3128"),), [("ok", "by way of the proxy p:3128")]),
                ((evolve(GOOD, stage="name", why="not known"),), [("fault", f"{name}: not known")]),
                ((evolve(GOOD, stage="connection", why="refused"),), [("fault", "refused")]),
                ((evolve(GOOD, stage="tls", why="self-signed"),), [("fault", "self-signed")]),
                ((evolve(GOOD, stage="late", why="no answer"),), [("fault", "no answer")]),
                ((evolve(GOOD, took=3.0),), [("warning", "after 3 s")]),
                ((evolve(GOOD, expires_in=3 * DAY),), [("warning", "expires in 3 d"), ("ok", "TLS stands")]),
                ((evolve(GOOD, verified=False),), [("warning", "not verified"), ("ok", "TLS stands")]),
                ((GOOD, evolve(GOOD, api="b", stage="tls", why="x")), [("ok", "openai"), ("fault", "b openai")]),
            ],
        )
