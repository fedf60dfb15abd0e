"""Helicone's requests, field by field."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events.event import Content
from llmproxy.core.events.vendors.helicone import encode_one, meta_of, request_of
from llmproxy.core.events.vendors.reading import id_of

from ....tables import row
from .samples import ANSWER, REQUEST, bare, chat

START, END = {"seconds": 1796036942, "milliseconds": 778}, {"seconds": 1796036944, "milliseconds": 278}


class RequestTests(SynchronousTestCase):
    def test_chat(self) -> None:
        """What was asked and answered, with true times, and all else as properties."""
        event = chat()
        found = request_of(event)
        meta = found["providerRequest"].pop("meta")
        self.assertEqual(
            found,
            {
                "providerRequest": {"url": "custom-model-nopath", "json": REQUEST},
                "providerResponse": {
                    "status": 200,
                    "headers": {"content-type": "text/event-stream", "Set-Cookie": "x=1"},
                    "json": ANSWER,
                },
                "timing": {"startTime": START, "endTime": END, "timeToFirstToken": 250},
            },
        )
        self.assertEqual(
            {name: meta[name] for name in meta if not name.startswith("Helicone-Property-")},
            {
                "Helicone-Request-Id": id_of(event, "request"),
                "Helicone-User-Id": "ada",
                "Helicone-Session-Id": "s-1",
                "Helicone-Session-Name": "notebook",
                "Helicone-Provider": "openai",
                "provider": "openai",
                "request_id": "req-1",
                "method": "POST",
                "path": "/v1/chat/completions",
            },
        )
        for name, value in (("team", "red"), ("project_id", "p-1"), ("streamed", "true"), ("ticket", "7")):
            self.assertEqual(meta[f"Helicone-Property-{name}"], value, name)

    def test_metadata_only(self) -> None:
        """Without content there are the model and what was used of it."""
        found = request_of(chat(content=None))
        self.assertEqual(found["providerRequest"]["json"], {"model": "gpt-4o-mini"})
        self.assertEqual(
            found["providerResponse"]["json"],
            {
                "model": "gpt-4o-mini-2024-07-18",
                "usage": {"prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 29},
            },
        )

    def test_bodies(self) -> None:
        """What is no JSON object stands where Helicone has texts."""
        found = request_of(chat(content=Content(request_body="in", response_body="out")))
        self.assertEqual(found["providerRequest"]["json"], {"model": "gpt-4o-mini", "input": "in"})
        self.assertEqual(found["providerResponse"]["textBody"], "out")
        self.assertEqual(found["providerResponse"]["json"]["usage"]["total_tokens"], 29)

    def test_no_model(self) -> None:
        """What asked no model is data of its kind; a status that is no status of HTTP is none."""
        found = request_of(bare(status=0, ended="timeout"))
        self.assertEqual(found["providerRequest"]["json"], {"_type": "data", "name": "GET /v1/models"})
        self.assertEqual(found["providerResponse"]["status"], 502)
        self.assertEqual(
            found["providerResponse"]["json"],
            {
                "_type": "data",
                "name": "GET /v1/models",
                "status": "error",
                "error": {"message": "no answer, timeout, unauthorized"},
            },
        )
        self.assertNotIn("timeToFirstToken", found["timing"])

    def test_fields(self) -> None:
        """What no header field can hold is written as in a URL."""
        for value, expected in (
            ("plain, text", "plain, text"),
            ("Zoë", "Zo%C3%AB"),
            ("a\r\nb: c", "a%0D%0Ab: c"),
            ("5%", "5%"),
        ):
            with row(value):
                self.assertEqual(meta_of(chat(user=value))["Helicone-User-Id"], expected)
        self.assertEqual(meta_of(chat(tags={"a b:c": "x"}))["Helicone-Property-a-b-c"], "x")

    @given(st.dictionaries(st.text(), st.text()), st.text())
    def test_any_words(self, tags: Any, user: str) -> None:
        """Whatever a program calls its tags and users, all of it can be header fields: others would be a 500 there."""
        for name, value in meta_of(chat(tags=tags, metadata=tags, user=user)).items():
            self.assertRegex(name, r"\A[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
            self.assertTrue(re.fullmatch(r"[\x20-\x7e]+", value), value)

    def test_encoded(self) -> None:
        """One object, the same each time."""
        self.assertEqual(json.loads(encode_one(chat()))["providerRequest"]["url"], "custom-model-nopath")
        self.assertEqual(encode_one(chat()), encode_one(chat()))
