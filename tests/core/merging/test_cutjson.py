"""JSON that was cut, put right."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.merging.cutjson import DEEPEST, MOST_TOKENS, TooLong, completed
from tests.tables import row

_WHOLE = r'{"a": [1, -2.5e3, true, null, {"b": "x\"y\\ \u00e9 \ud83d\ude00"}], "c": {}, "d": "", "é": [[], {}]}'


def _text(cut: str) -> str:
    found = completed(cut)
    return "null" if found is None else found.text


class CompletedTests(SynchronousTestCase):
    def test_cut_anywhere(self) -> None:
        """Wherever it is cut, what remains is JSON, and says nothing that was not there."""
        texts = json.dumps(json.loads(_WHOLE), ensure_ascii=False)
        for whole in (_WHOLE, texts):
            for at in range(1, len(whole) + 1):
                with row(whole[:at]):
                    found = completed(whole[:at])
                    assert found is not None
                    self.assertLessEqual(json.loads(found.text).keys(), json.loads(whole).keys())
            self.assertEqual(json.loads(_text(whole)), json.loads(whole), whole)

    def test_table(self) -> None:
        """A text that has begun is kept, a number or a name that may go on is not."""
        for cut, expected in (
            ('{"a": "Hel', {"a": "Hel"}),
            ('{"a": "x\\', {"a": "x"}),
            ('{"a": "x\\u00e', {"a": "x"}),
            ('{"a": "x\\ud83d', {"a": "x"}),
            ('{"a": "x\\ud83d\\ude', {"a": "x"}),
            ('{"a": 12', {}),
            ('{"a": 12,', {"a": 12}),
            ('{"a": 1, "b', {"a": 1}),
            ('{"a": 1, "b":', {"a": 1}),
            ('[{"a": 1}, {"b": tr', [{"a": 1}, {}]),
            ("[1, 2, 3", [1, 2]),
            ('["a", "b', ["a", "b"]),
            ('"abc', "abc"),
        ):
            with row(cut):
                self.assertEqual(json.loads(_text(cut)), expected)

    def test_cut_text(self) -> None:
        """It says whether the last text is a part of one."""
        for cut, expected in (('{"a": "b', True), ('{"a": "b"', False), ('["a", 1', False), ('{"a": "b", "c', False)):
            with row(cut):
                found = completed(cut)
                assert found is not None
                self.assertEqual(found.is_text_cut, expected)

    def test_none(self) -> None:
        """What is no beginning of JSON is none."""
        for text in ("", "  ", "]", "{]", "12", "hello"):
            self.assertIsNone(completed(text), text)

    def test_bounded(self) -> None:
        """What is nested too deeply, or has too much in it, is not read."""
        self.assertRaises(TooLong, completed, "[" * (DEEPEST + 1))
        self.assertRaises(TooLong, completed, "[" + "1," * MOST_TOKENS)
