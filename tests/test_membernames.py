"""
Tests that everything which reads the body of a request sees the same members, however their names are written: what one
reader passed over and a provider read would pass a rule.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bodies import BytesBody, Tap
from llmproxy.core.attributing.said import LONGEST_PARSED, Members, MembersReader, members_in, said_in
from llmproxy.core.budget import Budget
from llmproxy.core.inspection.contenttype import media_type
from llmproxy.core.inspection.steps import finish
from llmproxy.core.inspection.whitelist import Whitelist
from llmproxy.core.limits.reservation import AT_ONCE, wants_at_once, wants_of
from llmproxy.core.modelrename import IN_REQUESTS, ModelRename
from llmproxy.core.requestbody import inspect
from llmproxy.middleware.modelpeek import model_in, peek
from llmproxy.net.timers import TimerWheel
from llmproxy.providers.usagereader import LONGEST_EVENT

from .middleware.fakes import a_request

NAMES = (
    b"model",
    rb"m\u006fdel",
    rb"\u006D\u006f\u0064\u0065\u006c",
    rb"\u006dode\u006C",
)
"""One name, each time."""

OTHERS = (
    rb"m\\u006fdel",
    rb"model\u0000",
    rb"m\u006Fdel ",
    rb"\u004dodel",
    rb"\ud800",
    rb"\\model",
    b"modell",
    rb"\"model",
)
"""Other names, each time."""


def _said(content: bytes) -> str:
    members = members_in(content)
    return "" if members is None else said_in(members).model


def _passing(content: bytes, size: int) -> str:
    found: list[Members] = []
    reader = MembersReader(found.append)
    for at in range(0, len(content), size):
        reader.feed(content[at : at + size])
    return said_in(found[-1]).model if found else ""


def _renamed(content: bytes) -> str:
    seen: list[str] = []
    rename = ModelRename(IN_REQUESTS, seen.append)
    rename.feed(content)
    return seen[-1] if seen else ""


def _peeked(content: bytes) -> str:
    clock = Clock()
    request = a_request(body=Tap(BytesBody(content), lambda data: None))
    found: list[str] = []
    peek(request, Budget(1 << 24), TimerWheel(clock), 1 << 24, 1.0).addCallback(found.append)
    return found[0]


_WHITELIST = Whitelist.compile({"model": ["*"]})

READERS: dict[str, Any] = {
    "limits, short": lambda content: wants_at_once(content).model,
    "limits, long": lambda content: finish(wants_of(content)).model,
    "model in": lambda content: model_in(BytesBody(content)),
    "peek": _peeked,
    "attribution": _said,
    "attribution, byte by byte": lambda content: _passing(content, 1),
    "attribution, in pieces": lambda content: _passing(content, 7),
    "aliases": _renamed,
    "whitelist": lambda content: inspect(media_type([b"application/json"]), content, _WHITELIST),
}


class MemberNamesTests(SynchronousTestCase):
    def test_model(self) -> None:
        """The model is read by all of them where a provider reads it, and by none where none does."""
        for written, model in (*((name, "gpt-5") for name in NAMES), *((name, "") for name in OTHERS)):
            for body in (b'{"a":[{"model":"x"}],"%b":"gpt-5"}', b'{ "%b" : "gpt-5" , "b":"model"}'):
                content = body % written
                self.assertEqual(json.loads(content).get("model", ""), model, content)
                for name, read in READERS.items():
                    # Whitelists take more for a model than anybody does, see L{llmproxy.core.inspection.folding}.
                    if model or name != "whitelist":
                        self.assertEqual(read(content), model, (name, content))

    def test_long(self) -> None:
        """So it is in bodies that are scanned because they are too long to be parsed."""
        for most in (AT_ONCE, LONGEST_EVENT, LONGEST_PARSED):
            for written in NAMES:
                content = b'{"text":"%b","%b":"gpt-5"}' % (b"x" * most, written)
                for name, read in READERS.items():
                    if name != "attribution, byte by byte":
                        self.assertEqual(read(content), "gpt-5", (name, most, written))
