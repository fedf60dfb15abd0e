"""Tests for L{llmproxy.demo.openai}."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.demo.openai import chat_completion, chat_events, embeddings, file_object, models, response

CHAT = {"model": "demo", "messages": [{"role": "user", "content": "one two three"}]}


def decoded(events: Any) -> list[Any]:
    """The JSON of each event; the last word stays a word."""
    texts = [one.decode().removeprefix("data: ").strip() for one in events]
    return [json.loads(text) if text != "[DONE]" else text for text in texts]


class ChatTests(SynchronousTestCase):
    def test_stream_says_the_same(self) -> None:
        """A stream and the plain answer to one question have the same id and the same text."""
        plain = chat_completion(CHAT)
        *chunks, done = decoded(chat_events(CHAT))
        text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
        self.assertEqual(text, plain["choices"][0]["message"]["content"])
        self.assertEqual(({chunk["id"] for chunk in chunks}, done), ({plain["id"]}, "[DONE]"))
        self.assertEqual(chunks[-1]["choices"][0]["finish_reason"], "stop")
        self.assertFalse(any("usage" in chunk for chunk in chunks))

    def test_usage_where_it_is_asked_for(self) -> None:
        """With C{include_usage} one more chunk, without choices, comes last and adds up; the others hold null."""
        *chunks, last, _ = decoded(chat_events(CHAT | {"stream_options": {"include_usage": True}}))
        self.assertEqual((last["choices"], last["usage"]), ([], chat_completion(CHAT)["usage"]))
        self.assertEqual({chunk["usage"] for chunk in chunks}, {None})
        self.assertEqual(
            last["usage"]["total_tokens"], last["usage"]["prompt_tokens"] + last["usage"]["completion_tokens"]
        )
        self.assertEqual(last["usage"]["prompt_tokens"], 3)


class OtherTests(SynchronousTestCase):
    def test_embeddings(self) -> None:
        """A vector for each input, as many numbers as asked for, the same for the same text."""
        answer = embeddings({"model": "demo", "input": ["a", "b", "a"], "dimensions": 4})
        vectors = [one["embedding"] for one in answer["data"]]
        self.assertEqual(([len(vector) for vector in vectors], vectors[0]), ([4, 4, 4], vectors[2]))
        self.assertNotEqual(vectors[0], vectors[1])
        self.assertEqual([one["index"] for one in answer["data"]], [0, 1, 2])

    def test_response(self) -> None:
        """The Responses API takes a text or messages."""
        by_text = response({"model": "demo", "input": "hello"})
        by_messages = response({"model": "demo", "input": [{"role": "user", "content": "hello"}]})
        self.assertEqual(by_text["output"], by_messages["output"])
        self.assertEqual(by_text["usage"]["total_tokens"], 4)

    def test_file(self) -> None:
        """A file is named after its content."""
        one, other = file_object("a.txt", "batch", b"x"), file_object("b.txt", "batch", b"x")
        self.assertEqual((one["id"], one["bytes"]), (other["id"], 1))
        self.assertNotEqual(one["id"], file_object("a.txt", "batch", b"y")["id"])

    def test_models(self) -> None:
        """What can be asked for is listed."""
        self.assertIn("demo", [one["id"] for one in models()["data"]])
