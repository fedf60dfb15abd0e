"""The verdict on a Redis."""

from __future__ import annotations

from attrs import evolve

from llmproxy.core.doctor.redisserver import RedisFacts, judge_redis

from .verdicts import VerdictTestCase

GOOD = RedisFacts("limits", "redis://r:6379/0", answered_in=0.0005, version="7.2.1", policy="noeviction")


class RedisTests(VerdictTestCase):
    def test_table(self) -> None:
        answers = ("ok", "limits: redis://r:6379/0: answers in 0.5 ms")
        cache = evolve(GOOD, use="cache", most=2**30)
        events = evolve(GOOD, use="events")
        of = {"cache": ("ok", "cache: "), "events": ("ok", "events: ")}
        self.judged(
            judge_redis,
            [
                ((), [("skipped", "none")]),
                ((GOOD,), [answers]),
                ((evolve(GOOD, error="refuses: WRONGPASS"),), [("fault", "refuses: WRONGPASS")]),
                ((evolve(GOOD, answered_in=0.2),), [("warning", "answers in 200 ms")]),
                ((evolve(GOOD, policy="allkeys-lru"),), [answers, ("warning", "limits that it evicts are lost")]),
                ((evolve(GOOD, policy=""),), [answers, ("note", "does not say what it evicts")]),
                ((evolve(GOOD, used=95, most=100),), [answers, ("warning", "95 bytes of 100 bytes are used")]),
                ((cache,), [of["cache"], ("warning", "keeps everything")]),
                ((evolve(cache, policy="allkeys-lru"),), [of["cache"]]),
                ((evolve(cache, most=0),), [of["cache"]]),
                ((evolve(events, version="6.0.16"),), [of["events"], ("fault", "is Redis 6.0.16")]),
                ((evolve(events, version="6.2.0"),), [of["events"]]),
                ((GOOD, evolve(events, policy="volatile-lru")), [answers, of["events"], ("warning", "events that it")]),
            ],
        )
