"""Tests for L{llmproxy.core.inspection.positions}."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.inspection import jsonbody
from llmproxy.core.inspection.endpointrules import Rules
from llmproxy.core.inspection.positions import is_model
from llmproxy.core.inspection.steps import finish
from llmproxy.errors import ParamNotAllowed
from llmproxy.providers.registry import PLACES

from ...tables import row

RULES = Rules.compile({"model": ["ok"], "n": ["1"]}, PLACES)

CARRIERS: tuple[Any, ...] = (
    {"model": "@"},
    {"models": ["ok", "@"]},
    {"models": "@"},
    {"tools": [{"type": "image_generation", "model": "@"}]},
    {"requests": [{"custom_id": "1", "params": {"model": "@"}}]},
    {"requests": [{"model": "@", "content": {}}]},
    {"requests": [{"custom_id": "1", "body": {"model": "@"}}]},
    {"batch": {"input_config": {"requests": {"requests": [{"request": {"model": "@"}}]}}}},
    {"batch": {"inputConfig": {"requests": {"requests": [{"request": {"model": "@"}}]}}}},
    {"generateContentRequest": {"model": "@"}},
    {"setup": {"model": "@"}},
    {"type": "session.update", "session": {"model": "@"}},
    {"type": "session.update", "session": {"audio": {"input": {"transcription": {"model": "@"}}}}},
    {"type": "session.update", "session": {"input_audio_transcription": {"model": "@"}}},
    {"type": "response.create", "response": {"model": "@"}},
    {"type": "response.create", "model": "@", "input": []},
    {"baseModel": "@"},
    {"model_id": "@"},
    {"modelId": "@"},
    {"data_source": {"model": "@"}},
    {"testing_criteria": [{"model": "@"}]},
    {"method": {"reinforcement": {"grader": {"model": "@"}}}},
    {"fallbacks": [{"model": "@"}]},
)

HARMLESS: tuple[Any, ...] = (
    {"messages": [{"role": "user", "content": "model", "model": "evil"}]},
    {"tools": [{"type": "function", "function": {"parameters": {"properties": {"model": {"type": "string"}}}}}]},
    {"metadata": {"model": "evil"}, "model": "ok"},
    {"tools": [], "requests": [], "models": []},
    {"tools": None, "method": "tools/list", "session": "s-1", "response": 1, "batch": True},
    {"response_format": {"json_schema": {"schema": {"properties": {"model": {}}}}}},
)


def judge(document: Any, rules: Rules = RULES, lines: bool = False) -> None:
    finish(jsonbody.inspection(json.dumps(document).encode(), (rules.lines if lines else rules.bodies).root))


class PositionTests(SynchronousTestCase):
    def test_carriers(self) -> None:
        """The model is found wherever an API carries it, as Google writes it too."""
        for document in CARRIERS:
            text = json.dumps(document)
            with row(document):
                self.assertRaises(ParamNotAllowed, judge, json.loads(text.replace("@", "evil")))
            with row(document):
                self.assertRaises(ParamNotAllowed, judge, json.loads(text.replace("@", "models/evil")))
            judge(json.loads(text.replace("@", "ok")))
            judge(json.loads(text.replace("@", "models/ok")))
            judge(json.loads(text.replace("@", "publishers/google/models/ok")))

    def test_harmless(self) -> None:
        """What only has the same name elsewhere is nobody's business."""
        for document in HARMLESS:
            judge(document)

    def test_lines(self) -> None:
        """In a line of a batch file the call stands below a name of the provider's."""
        for document in CARRIERS:
            for name in ("body", "params", "request"):
                line = {"custom_id": "1", name: json.loads(json.dumps(document).replace("@", "evil"))}
                with row(document, name):
                    self.assertRaises(ParamNotAllowed, judge, line, RULES, True)
        judge({"custom_id": "1", "url": "/v1/chat/completions", "body": {"model": "ok"}}, lines=True)

    def test_other_parameters(self) -> None:
        """Other parameters hold in each call of a batch and each session, too."""
        for document in ({"n": 2}, {"requests": [{"params": {"n": 2}}]}, {"session": {"n": 2}}):
            with row(document):
                self.assertRaises(ParamNotAllowed, judge, document)

    def test_anything(self) -> None:
        """A star means anything, objects and arrays too."""
        for value in ({"a": 1}, ["x"], None, 1, "x", "x" * 5000):
            judge({"model": value}, Rules.compile({"model": ["*"]}, PLACES))
            if value != "x":
                with row(value):
                    self.assertRaises(ParamNotAllowed, judge, {"model": value}, Rules.compile({"model": ["x"]}, PLACES))

    def test_elsewhere(self) -> None:
        """A batch file that never passes here cannot be named under a rule of the model."""
        self.assertRaises(ParamNotAllowed, judge, {"input_blob": "https://blob.example/x"})
        judge({"input_blob": "https://blob.example/x"}, Rules.compile({"n": ["1"]}, PLACES))
        judge({"input_blob": None})

    def test_is_model(self) -> None:
        """The rule of the model is known however it is written."""
        self.assertTrue(all(map(is_model, ("model", "Model", "MODEL"))))
        self.assertFalse(any(map(is_model, ("models", "n"))))
