"""The variables of events on Redis Streams."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.streamvariables import (
    StreamSettings,
    bus_sink,
    event_bus,
    read_stream_environment,
    stream_url,
)

from ..tables import row


class VariableTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        """Nothing said is the reference's: the Redis of this machine, its stream and its group."""
        found, problems = read_stream_environment({})
        self.assertEqual((found, problems), (StreamSettings(), []))
        self.assertEqual(
            (found.stream, found.group, found.max_len, found.block, found.claim, found.batch),
            ("llm-proxy-events", "llm-proxy-dispatchers", 10_000, 5.0, 30.0, 100),
        )

    def test_all(self) -> None:
        """Each variable has its field."""
        found, problems = read_stream_environment(
            {
                "REDIS_ADDR": "r:7000",
                "REDIS_DB": "3",
                "REDIS_PASSWORD": "secret-word",
                "REDIS_STREAM_KEY": "s",
                "REDIS_CONSUMER_GROUP": "g",
                "REDIS_CONSUMER_NAME": "me",
                "REDIS_STREAM_MAX_LEN": "0",
                "REDIS_STREAM_BLOCK_TIME": "250ms",
                "REDIS_STREAM_CLAIM_TIME": "1m",
                "REDIS_STREAM_BATCH_SIZE": "7",
            }
        )
        expected = StreamSettings("redis://r:7000/3", "secret-word", "s", "g", "me", 0, 0.25, 60.0, 7)
        self.assertEqual((found, problems), (expected, []))
        self.assertNotIn("secret-word", repr(found))

    def test_wrong(self) -> None:
        """What is wrong is named, all of it at once."""
        _, problems = read_stream_environment(
            {
                "REDIS_STREAM_MAX_LEN": "-1",
                "REDIS_STREAM_BLOCK_TIME": "0",
                "REDIS_STREAM_CLAIM_TIME": "1ms",
                "REDIS_STREAM_BATCH_SIZE": "0",
            }
        )
        self.assertEqual(
            [name for name, _ in problems],
            [
                "REDIS_STREAM_MAX_LEN",
                "REDIS_STREAM_BLOCK_TIME",
                "REDIS_STREAM_CLAIM_TIME",
                "REDIS_STREAM_BATCH_SIZE",
            ],
        )

    def test_url(self) -> None:
        """A URL is more than an address."""
        for env, expected in (
            ({}, "redis://localhost:6379/0"),
            ({"REDIS_ADDR": " r:1 "}, "redis://r:1/0"),
            ({"REDIS_DB": "2"}, "redis://localhost:6379/2"),
            ({"REDIS_URL": "rediss://h", "REDIS_ADDR": "r:1"}, "rediss://h"),
        ):
            with row(env):
                self.assertEqual(stream_url(env), expected)


class BusTests(SynchronousTestCase):
    def test_names(self) -> None:
        """Two buses, by the reference's names; any other word is its error, with a hint where there was one of old."""
        self.assertEqual([event_bus({"LLM_PROXY_EVENT_BUS": each}) for each in ("", "in-memory")], ["", "in-memory"])
        with self.assertRaisesRegex(ValueError, "unknown event bus backend: redis .*lists of Redis"):
            event_bus({"LLM_PROXY_EVENT_BUS": "redis"})
        with self.assertRaisesRegex(ValueError, "^unknown event bus backend: kafka .there are"):
            bus_sink({"LLM_PROXY_EVENT_BUS": "kafka"})

    def test_sink(self) -> None:
        """The bus is a sink as it would stand in a file, in the reference's names."""
        for env in ({}, {"LLM_PROXY_EVENT_BUS": "in-memory"}):
            with row(env):
                self.assertIsNone(bus_sink(env))
        self.assertEqual(
            bus_sink({"LLM_PROXY_EVENT_BUS": "redis-streams", "REDIS_STREAM_MAX_LEN": "50", "REDIS_ADDR": "r:1"}),
            {
                "name": "bus",
                "type": "redis-streams",
                "url": "redis://r:1/0",
                "stream": "llm-proxy-events",
                "max_len": 50,
                "schema": "legacy",
            },
        )
        with self.assertRaisesRegex(ValueError, "REDIS_STREAM_MAX_LEN: "):
            bus_sink({"LLM_PROXY_EVENT_BUS": "redis-streams", "REDIS_STREAM_MAX_LEN": "many"})
