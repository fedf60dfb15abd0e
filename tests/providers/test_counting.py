"""Tests for L{llmproxy.providers.counting}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.message import Record
from llmproxy.providers.counting import Counting, lasting_in, uses_something
from llmproxy.usage import UNKNOWN, Usage

USED = Usage(input_tokens=1, output_tokens=2)
PATH = b"/v1/responses"


class UseTests(SynchronousTestCase):
    def test_uses(self) -> None:
        """What runs a model is use, whatever the server; to list, fetch, count or keep something is none."""
        for method, target, expected in (
            (b"POST", b"/v1/chat/completions", True),
            (b"POST", b"/v1/audio/speech?x=files", True),
            (b"POST", b"/openai/deployments/d/chat/completions?api-version=1", True),
            (b"POST", b"/v1beta/models/gem:generateContent", True),
            (b"POST", b"/model/anthropic.claude-v2%3A1/invoke", True),
            (b"POST", b"/something/new", True),
            (b"GET", b"/v1/models", False),
            (b"DELETE", b"/v1/responses/resp_1", False),
            (b"POST", b"/v1/moderations", False),
            (b"POST", b"/v1/files", False),
            (b"POST", b"/openai/v1/files?api-version=1", False),
            (b"POST", b"/v1/responses/input_tokens", False),
            (b"POST", b"/v1/messages/count_tokens?beta=true", False),
            (b"POST", b"/v1/messages/batches", False),
            (b"POST", b"/v1beta/models/gem:countTokens", False),
            (b"POST", b"/v1beta/cachedContents", False),
            (b"POST", b"/api/show", False),
            (b"POST", b"/tokenize", False),
        ):
            self.assertEqual(uses_something(method, target), expected, (method, target))


class LastingTests(SynchronousTestCase):
    def test_found(self) -> None:
        """Of an answer, and of the events of one."""
        for found, expected in (
            ({}, None),
            ({"id": 7}, None),
            ({"id": "r", "background": "opaque"}, ("r", False, False)),
            ({"id": "r", "status": "queued", "background": True}, ("r", True, True)),
            ({"response.id": "r", "response.status": "in_progress", "id": "x"}, ("r", True, False)),
            ({"interaction.id": "i", "interaction.status": "completed"}, ("i", False, False)),
        ):
            lasting = lasting_in(found)
            seen = lasting and (lasting.id, lasting.pending, lasting.background)
            self.assertEqual(seen, expected, found)


class CountingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.counting = Counting(most=3)

    def count(self, method: bytes, found: Mapping[str, Any], usage: Usage = USED, api: str = "openai") -> Usage | None:
        self.record = Record("r", "POST", "/v1", "", 0.0)
        return self.counting.counted(api, method, PATH, usage, found, self.record)

    def test_background(self) -> None:
        """An answer of the background counts when it is first fetched complete, and never again."""
        queued = {"id": "r", "status": "queued", "background": True}
        done = {"id": "r", "status": "completed", "background": True}
        self.assertEqual(self.count(b"POST", queued, UNKNOWN), UNKNOWN)
        self.assertIsNone(self.count(b"GET", queued, UNKNOWN))
        self.assertEqual(self.count(b"GET", done), USED)
        self.assertIsNone(self.count(b"GET", done))
        self.assertIsNone(self.count(b"POST", done))
        self.assertEqual(self.count(b"GET", done, api="other"), USED)

    def test_background_from_elsewhere(self) -> None:
        """One that another process has asked for counts too; a stream of one that is fetched later does once."""
        done = {"response.id": "r", "response.status": "completed", "response.background": True}
        self.assertEqual(self.count(b"GET", done), USED)
        self.assertIsNone(self.count(b"GET", {"id": "r", "background": True}))

    def test_nameless(self) -> None:
        """One of the background without a name counts where it was asked for."""
        self.assertEqual(self.count(b"POST", {"background": True}), USED)
        self.assertIsNone(self.count(b"GET", {"background": True}))

    def test_kept(self) -> None:
        """One that was answered at once counts there, and not when it is fetched; so does one without a name."""
        for found in ({"id": "chatcmpl-1"}, {"id": "r", "background": False, "status": "completed"}, {}):
            self.assertEqual(self.count(b"POST", found), USED, found)
            self.assertEqual(self.count(b"POST", found), USED, found)
            self.assertIsNone(self.count(b"GET", found), found)

    def test_noted(self) -> None:
        """The record says which answer it is, for other processes; what only they can have asked for is claimed."""
        queued = {"id": "r", "status": "queued", "background": True}
        done = {"id": "r", "status": "completed", "background": True}
        plain = {"id": "p", "status": "completed"}
        for method, found, usage, expected in (
            (b"POST", queued, UNKNOWN, ("r", None)),
            (b"GET", queued, UNKNOWN, ("", None)),
            (b"GET", done, USED, ("r", None)),
            (b"GET", done, USED, ("", None)),
            (b"POST", plain, USED, ("", None)),
            (b"GET", plain, USED, ("p", USED)),
            (b"GET", {}, USED, ("", None)),
        ):
            self.count(method, found, usage)
            self.assertEqual((self.record.answer_id, self.record.claimed), expected, (method, found))

    def test_changed(self) -> None:
        """What is noted about a chat that is kept, by POST too, makes no use of it."""
        chat = {"id": "chatcmpl-1"}
        record = Record("r", "POST", "/v1", "", 0.0)
        kept, made = b"/v1/chat/completions/chatcmpl-1", b"/v1/chat/completions?x=1"
        self.assertIsNone(self.counting.counted("a", b"POST", kept, USED, chat, record))
        self.assertEqual(self.counting.counted("a", b"POST", made, USED, chat, record), USED)

    def test_pending(self) -> None:
        """One whose answer does not say that it is of the background, but is not made yet."""
        self.assertEqual(self.count(b"POST", {"id": "i", "status": "in_progress"}, UNKNOWN), UNKNOWN)
        self.assertEqual(self.count(b"GET", {"id": "i", "status": "completed"}), USED)
        self.assertIsNone(self.count(b"GET", {"id": "i", "status": "completed"}))

    def test_bounded(self) -> None:
        """The oldest is forgotten."""
        for number in range(5):
            self.count(b"GET", {"id": f"r{number}", "background": True})
        self.assertIsNone(self.count(b"GET", {"id": "r2", "background": True}))
        self.assertEqual(self.count(b"GET", {"id": "r1", "background": True}), USED)

    def test_nothing_used(self) -> None:
        """What tells nothing is unknown where a model has run."""
        self.assertEqual(self.count(b"POST", {}, UNKNOWN), UNKNOWN)
        record = Record("r", "POST", "/v1", "", 0.0)
        self.assertIsNone(self.counting.counted("a", b"POST", b"/v1/files", UNKNOWN, {}, record))
