"""Streams of nonsense: whatever the types in them, they are merged into something that can be written."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.merging import merged
from llmproxy.core.merging.reading import parts

from .pairs import AWS_EVENTS, NDJSON, SSE
from .test_converse import message
from .test_merge import PAIRS

ROUNDS = 20


class FuzzedTests(SynchronousTestCase):
    def _changed(self, value: Any, random: Random) -> Any:
        """The same with something else here and there."""
        if random.random() < 0.08:
            return random.choice(
                [None, 0, -1, 1.5, True, "", "x", [], [None], [[]], {}, {"index": "x"}, {"a": {}}, 10**30]
            )
        if isinstance(value, dict):
            found = {name: self._changed(each, random) for name, each in value.items()}
            if found and random.random() < 0.1:
                found.pop(random.choice(list(found)))
            return found
        return [self._changed(each, random) for each in value] if isinstance(value, list) else value

    def test_changed(self) -> None:
        """Golden streams whose members are missing or of another type are merged all the same."""
        random = Random(7)
        for name, pair in PAIRS.items():
            whole = list(parts(pair.stream, pair.media_type))
            for number in range(ROUNDS):
                changed = [(part.name, self._changed(part.content, random)) for part in whole]
                random.shuffle(changed) if number % 3 == 0 else None
                if pair.media_type == AWS_EVENTS:
                    stream = b"".join(
                        message(kind, **(said if isinstance(said, dict) else {})) for kind, said in changed
                    )
                elif pair.media_type == NDJSON:
                    stream = b"".join(json.dumps(said).encode() + b"\n" for _, said in changed)
                else:
                    stream = b"".join(
                        (b"event: %b\n" % kind.encode() if kind else b"") + b"data: %b\n\n" % json.dumps(said).encode()
                        for kind, said in changed
                    )
                try:
                    found = merged(stream, pair.media_type)
                    json.dumps(found.content)
                except Exception as error:
                    self.fail(f"{name}: {type(error).__name__}: {error}: {stream[:2000]!r}")
        self.assertIn(SSE, {pair.media_type for pair in PAIRS.values()})
