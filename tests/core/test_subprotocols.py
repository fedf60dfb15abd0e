"""Tests for L{llmproxy.core.subprotocols}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.subprotocols import offered_secrets, without_secret

NAME = b"Sec-WebSocket-Protocol"
MARKED = b"openai-insecure-api-key.sk-1"


class SubprotocolTests(SynchronousTestCase):
    def test_offered(self) -> None:
        """Secrets are found on whichever line and place they are offered."""
        for lines, expected in (
            ([b"realtime, " + MARKED + b", openai-beta.realtime-v1"], [b"sk-1"]),
            ([MARKED], [b"sk-1"]),
            ([b"realtime", b" x ,\t" + MARKED + b" "], [b"sk-1"]),
            ([MARKED, b"x," + MARKED + b"0"], [b"sk-1", b"sk-10"]),
            ([b"realtime"], []),
            ([b"openai-insecure-api-key."], []),
            ([b"my-openai-insecure-api-key.sk-1"], []),
            ([], []),
        ):
            self.assertEqual(offered_secrets([(NAME, line) for line in lines]), expected, lines)
        self.assertEqual(offered_secrets([(b"X-Other", MARKED)]), [])

    def test_without(self) -> None:
        """What else is offered keeps its order; a field without a secret keeps its bytes, one of nothing else goes."""
        for value, expected in (
            (b"realtime, " + MARKED + b", openai-beta.realtime-v1", b"realtime, openai-beta.realtime-v1"),
            (MARKED + b", realtime", b"realtime"),
            (b"realtime," + MARKED, b"realtime"),
            (MARKED + b"," + MARKED + b"x", None),
            (b"realtime, OpenAI-Insecure-API-Key.sk-1", b"realtime"),
            (b" realtime ,x", b" realtime ,x"),
            (b"", b""),
        ):
            rest = without_secret((NAME, value))
            self.assertEqual(rest, None if expected is None else (NAME, expected), value)
