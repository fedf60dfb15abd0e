"""Tests for L{llmproxy.bench.worker}."""

from __future__ import annotations

import io
import json

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.values import LoadSpec, Result
from llmproxy.bench.worker import LOOPS, serve


class Nothing:
    """A loop that does nothing, in no time."""

    def __init__(self, spec: LoadSpec, progress: object) -> None:
        self.spec, self.result = spec, Result()
        self.clock = lambda: 0

    def connect(self) -> None:
        self.result.fail("connect")

    def begin(self, now: int) -> None: ...
    def until(self, end: int) -> None: ...
    def finish(self, now: int) -> None: ...


class ServeTests(SynchronousTestCase):
    def heard(self, *lines: str) -> list[dict[str, object]]:
        answers = io.StringIO()
        serve(io.StringIO("".join(line + "\n" for line in lines)), answers)
        return [json.loads(line) for line in answers.getvalue().splitlines()]

    def setUp(self) -> None:
        self.addCleanup(LOOPS.update, dict(LOOPS))
        LOOPS["closed"] = Nothing
        self.spec = json.dumps(LoadSpec("closed", "h", 1, "").to_json())

    def test_one_run(self) -> None:
        """It says when it is connected, waits for the word, and answers with what it counted."""
        ready, result = self.heard(self.spec, "go")
        self.assertEqual(ready, {"ready": True})
        self.assertEqual(Result.from_json(result["result"]).errors, {"connect (warming up)": 1})  # type: ignore[arg-type]

    def test_left_alone(self) -> None:
        """Whoever started it has gone: there is nobody to measure for."""
        self.assertEqual(self.heard(self.spec), [{"ready": True}])
