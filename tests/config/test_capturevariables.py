"""Tests for L{llmproxy.config.capturevariables}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.config.capture import CaptureConfig
from llmproxy.config.capturevariables import kept_where, read_capture_environment, receivers, with_capture
from llmproxy.config.sinks import SinkConfig
from tests.tables import row

ENABLED, REQUEST, RESPONSE = (
    "OBSERVABILITY_ENABLED",
    "OBSERVABILITY_MAX_REQUEST_BODY_BYTES",
    "OBSERVABILITY_MAX_RESPONSE_BODY_BYTES",
)


def api(capture: CaptureConfig | None = None) -> APIProviderConfig:
    return APIProviderConfig("http://a", ("/v1",), ("GET",), capture=capture)


class VariableTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Off unless it is on, which the reference is not; sizes as the reference has them."""
        for env, expected in (
            ({}, None),
            ({ENABLED: ""}, None),
            ({ENABLED: "false", REQUEST: "5"}, None),
            ({ENABLED: "true"}, CaptureConfig(request=65536, response=262144)),
            ({ENABLED: "1", REQUEST: "1000", RESPONSE: "2KiB"}, CaptureConfig(request=1000, response=2048)),
            ({ENABLED: "true", REQUEST: "0"}, CaptureConfig()),
        ):
            with row(env):
                self.assertEqual(read_capture_environment(env), (expected, []))

    def test_wrong(self) -> None:
        """What is not understood is said, and nothing is captured by mistake."""
        found, problems = read_capture_environment({ENABLED: "yes please", REQUEST: "-1", RESPONSE: "1GiB"})
        self.assertIsNone(found)
        self.assertEqual([name for name, _ in problems], [ENABLED, REQUEST, RESPONSE])


class EveryApiTests(SynchronousTestCase):
    def test_own(self) -> None:
        """It holds for the APIs that say nothing themselves."""
        own, off = CaptureConfig(request=5), CaptureConfig(enabled=False)
        apis = {"a": api(), "b": api(own), "c": api(off)}
        found = with_capture(apis, CaptureConfig(request=7))
        self.assertEqual([each.capture for each in found.values()], [CaptureConfig(request=7), own, off])
        self.assertIs(with_capture(apis, None), apis)


class SentenceTests(SynchronousTestCase):
    def test_table(self) -> None:
        """That prompts are kept is said with where they go; that nothing is, where there is no sink."""
        log, audit = SinkConfig("log", "file"), SinkConfig("audit", "http", when={"kind": "audit.*"})
        none = SinkConfig("none", "file", sample=0.0)
        for capture, sinks, sentence in (
            (None, (log,), ""),
            (CaptureConfig(enabled=False), (log,), ""),
            (
                CaptureConfig(),
                (log, audit),
                "capture: prompts and answers of a are kept in events, which go to log (file)",
            ),
            (
                CaptureConfig(),
                (audit, none),
                "capture: nothing of what is said to a is kept, as there is no sink for it",
            ),
            (CaptureConfig(), (), "capture: nothing of what is said to a is kept, as there is no sink for it"),
        ):
            with row(capture, sinks):
                config = APIConfig({"a": api(capture)}, "a", sinks=sinks)
                self.assertTrue(kept_where(config).startswith(sentence) and bool(kept_where(config)) == bool(sentence))

    def test_receivers(self) -> None:
        """Sinks that want other events get none of this."""
        wants = [SinkConfig("a", "file", when={"status": ">=400"}), SinkConfig("b", "file", when={"kind": "audit.*"})]
        self.assertEqual([sink.name for sink in receivers(wants)], ["a"])
