"""What was said so far, and the next answer as it comes."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.conversation import MAX_LINE, events_of
from llmproxy.cli.faults import Fault

from ..tables import row
from .talking import Response, conversation, refusal, stream


class ConversationTests(SynchronousTestCase):
    def test_answers(self) -> None:
        """An answer comes piece by piece, and what was said goes with the next question."""
        talk, api = conversation(stream("He", "llo"), stream("Bye"))
        self.assertEqual(list(talk.ask("hi")), ["He", "llo"])
        self.assertEqual(list(talk.ask("bye")), ["Bye"])
        said = [(each["role"], each["content"]) for each in api.asked[1][2]["messages"]]
        self.assertEqual(said, [("user", "hi"), ("assistant", "Hello"), ("user", "bye")])
        self.assertEqual((api.asked[0][0], talk.request_id, api.open), ("/v1/chat/completions", "r-1", 0))
        self.assertEqual(api.asked[0][1]["Authorization"], "Bearer sk-token")

    def test_whole(self) -> None:
        """An API that does not stream answers in one piece."""
        content = json.dumps({"choices": [{"message": {"content": "Hello"}}]}).encode()
        talk, api = conversation(Response(200, "application/json", content), stream=False)
        self.assertEqual(list(talk.ask("hi")), ["Hello"])
        self.assertFalse(api.asked[0][2]["stream"])

    def test_refused(self) -> None:
        """A refusal is told in the words of whoever refused, and the question is not remembered."""
        talk, api = conversation(
            refusal(401, error="Token expired", code="token_expired"),
            refusal(429, error={"message": "slow down", "type": "x"}),
        )
        for words, code in (("Token expired", 4), ("slow down", 5)):
            with row(words):
                error = self.assertRaises(Fault, list, talk.ask("hi"))
            self.assertEqual((error.message, error.exit_code), (words, code), (words, code))
        self.assertEqual((talk.messages, api.open), ([], 0))

    def test_stopped(self) -> None:
        """An answer that is stopped closes the connection; what came of it is remembered."""
        talk, api = conversation(stream("Once", " upon"))
        pieces = talk.ask("tell")
        self.assertEqual((next(pieces), api.open), ("Once", 1))
        pieces.close()  # type: ignore[attr-defined]
        self.assertEqual((talk.messages[-1]["content"], api.open), ("Once", 0))

    def test_error_within(self) -> None:
        """An error that is told as an event is an error, not an answer that just ends."""
        text = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: {"error":{"message":"overloaded"}}\n\n'
        talk, _ = conversation(Response(200, "text/event-stream", text))
        self.assertIn("overloaded", self.assertRaises(Fault, list, talk.ask("hi")).message)

    def test_nonsense(self) -> None:
        """What is no answer is told as that."""
        for kind in ("text/event-stream", "text/html"):
            talk, _ = conversation(Response(200, kind, b"data: {nope\n\n"))
            with row(kind):
                self.assertRaises(Fault, list, talk.ask("hi"))


class EventTests(SynchronousTestCase):
    def test_lines(self) -> None:
        """Comments, other fields, several lines of data and both ends of lines are understood."""
        text = (
            b': hi\r\nevent: x\r\ndata: {"a":\r\ndata: 1}\r\n\r\nid: 7\n\ndata:{"a":2}\n\ndata: [DONE]\n\ndata: 3\n\n'
        )
        found = list(events_of(Response(200, "text/event-stream", text)))  # type: ignore[arg-type]
        self.assertEqual(found, [{"a": 1}, {"a": 2}])

    def test_endless(self) -> None:
        """A line without end is given up."""
        response = Response(200, "text/event-stream", b"data: " + b"x" * (MAX_LINE + 10))
        self.assertRaises(Fault, list, events_of(response))  # type: ignore[arg-type]
