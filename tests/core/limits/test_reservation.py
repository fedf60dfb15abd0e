"""Tests of L{llmproxy.core.limits.reservation}."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.inspection.steps import finish
from llmproxy.core.limits.reservation import (
    AT_ONCE,
    BYTES_A_TOKEN,
    HIDDEN,
    MOST_MODELS,
    OUTPUT,
    REMEMBERED,
    Estimate,
    Learnt,
    Wants,
    wants_at_once,
    wants_of,
)
from tests.tables import row

SAID = {
    '{"model":"m"}': ("m", None, 1, False),
    '{"max_tokens":5,"model":"m"}': ("m", 5, 1, False),
    '{"max_completion_tokens":7,"n":3}': ("", 21, 3, False),
    '{"max_output_tokens":9,"previous_response_id":"r"}': ("", 9, 1, True),
    '{"generationConfig":{"maxOutputTokens":11,"candidateCount":2}}': ("", 22, 2, False),
    '{"inferenceConfig":{"maxTokens":13}}': ("", 13, 1, False),
    '{"options":{"num_predict":15}}': ("", 15, 1, False),
    # Whichever of two a provider takes, it is no more than the larger.
    '{"max_tokens":5,"max_tokens":50}': ("", 50, 1, False),
    '{"max_tokens":5,"max_completion_tokens":40}': ("", 40, 1, False),
    # What is no number of tokens says nothing.
    '{"max_tokens":0}': ("", None, 1, False),
    '{"max_tokens":-1}': ("", None, 1, False),
    '{"max_tokens":true}': ("", None, 1, False),
    '{"max_tokens":null}': ("", None, 1, False),
    '{"max_tokens":[9]}': ("", None, 1, False),
    '{"max_tokens":"nine"}': ("", None, 1, False),
    '{"max_tokens":"nan"}': ("", None, 1, False),
    '{"max_tokens":"-inf"}': ("", None, 1, False),
    '{"max_tokens":"inf"}': ("", None, 1, False),
    '{"max_tokens":-1.5}': ("", None, 1, False),
    # What a lenient server takes for a number is one.
    '{"max_tokens":"9"}': ("", 9, 1, False),
    '{"max_tokens":" 1e3 "}': ("", 1000, 1, False),
    '{"max_tokens":1e5}': ("", 100_000, 1, False),
    '{"max_tokens":99.5}': ("", 100, 1, False),
    '{"max_tokens":5,"max_completion_tokens":"500"}': ("", 500, 1, False),
    '{"max_tokens":5,"n":"3"}': ("", 15, 3, False),
    '{"max_tokens":5,"n":1000}': ("", 640, 128, False),
    '{"options":{"num_predict":"15"}}': ("", 15, 1, False),
    '{"max_tokens":1e99}': ("", None, 1, False),
    '{"max_tokens":99999999999}': ("", None, 1, False),
    '{"n":1000000}': ("", None, 128, False),
    # Only at the top, but for what refers to other input.
    '{"messages":[{"max_tokens":9}]}': ("", None, 1, False),
    '{"messages":[{"content":[{"type":"image_url","image_url":{"url":"https://x"}}]}]}': ("", None, 1, True),
    '{"input":[{"type":"input_file","file_id":"f"}]}': ("", None, 1, True),
    '{"contents":[{"parts":[{"fileData":{"fileUri":"u"}}]}]}': ("", None, 1, True),
    '{"tools":[{"type":"web_search_preview"}]}': ("", None, 1, True),
    "[1]": ("", None, 1, False),
    "no json": ("", None, 1, False),
    "": ("", None, 1, False),
}


_NAMES = st.sampled_from(
    [
        *("model", "max_tokens", "max_completion_tokens", "max_output_tokens", "n", "best_of", "messages", "file_id"),
        *(
            "max\\u005ftokens",
            "generationConfig",
            "maxOutputTokens",
            "options",
            "num_predict",
            "max_gen_len",
            "\\n",
            "",
        ),
    ]
)


def _objects(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    members = st.lists(st.tuples(_NAMES, st.sampled_from(["", " ", "\t\n"]), values), max_size=5)
    return members.map(lambda each: "{" + ", ".join(f'"{name}"{space}: {value}' for name, space, value in each) + "}")


_VALUES = st.recursive(
    st.sampled_from(
        [
            "1",
            "0",
            "-3",
            "77",
            "1e3",
            "2.0",
            '"8"',
            '"2.5"',
            "1e99",
            "1" * 30,
            "null",
            "true",
            '"m"',
            '"\\u0061"',
            '"a\\"b"',
            '"\\ud800"',
        ]
    )
    | st.sampled_from(['"max_tokens"', '"{\\"n\\":9}"', "nan", "[", "", '"url"', '"é"', "01"]),
    lambda inner: st.lists(inner, max_size=3).map(lambda each: f"[{','.join(each)}]") | _objects(inner),
    max_leaves=8,
)


BODIES = st.builds(
    lambda text, end: text.encode() + end, _objects(_VALUES), st.sampled_from([b"", b"", b" ", b"{}", b"\xff"])
)
"""Bodies that are JSON, and such as are nearly."""


class WantsTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Each way to say how much an answer may be."""
        for text, (model, output, answers, hides) in SAID.items():
            content = text.encode()
            with row(text):
                expected = Wants(model, len(content), output, answers, hides)
                self.assertEqual(finish(wants_of(content)), expected)
                self.assertEqual(wants_at_once(content), expected)

    @given(BODIES)
    def test_at_once(self, content: bytes) -> None:
        """What is read at once says the same as what is scanned, whatever JSON it is, or none."""
        self.assertEqual(wants_at_once(content), finish(wants_of(content)))

    @given(st.integers(0, 200_000), st.integers(0, 70_000))
    def test_anywhere(self, before: int, after: int) -> None:
        """Wherever it stands in a body of any size."""
        body = '{"a":"%s","max_tokens":77,"b":"%s","previous_response_id":"x","model":"m"}'
        content = (body % ("x" * before, "y" * after)).encode()
        self.assertEqual(finish(wants_of(content)), Wants("m", len(content), 77, 1, True))

    def test_long_conversation(self) -> None:
        """A conversation of megabytes in front hides nothing of what comes behind."""
        messages = [{"role": "user", "content": "Hello [{ there }]" * 20} for _ in range(5000)]
        content = json.dumps({"messages": messages, "max_tokens": 12, "model": "m"}).encode()
        self.assertEqual(finish(wants_of(content)).output, 12)


class EscapeTests(SynchronousTestCase):
    """Names of members written with escapes are the names that providers read."""

    def test_table(self) -> None:
        for written, expected in (
            (rb'{"mod\u0065l":"m","max_tokens":5}', Wants("m", 0, 5)),
            (rb'{"model":"m","max_tokens":1,"max\u005ftokens":500}', Wants("m", 0, 500)),
            (rb'{"model":"m","\u006d\u0061x_tokens":500}', Wants("m", 0, 500)),
            (rb'{"model":"m","\u006E":3,"max_tokens":2}', Wants("m", 0, 6, 3)),
            (rb'{"model":"m","file\u005fid":"f"}', Wants("m", 0, None, 1, True)),
            # An escaped backslash, and what would end a text, stay as they are.
            (rb'{"max_t\\u006fkens":500,"x":"\u0022,\"max_tokens\":7","model":"m"}', Wants("m", 0, None)),
        ):
            with row(written):
                for read in (wants_at_once(written), finish(wants_of(written))):
                    self.assertEqual(read, expected._replace(size=len(written)))

    @given(st.integers(0, 40), st.text('\\"né', max_size=12))
    def test_cut(self, before: int, text: str) -> None:
        """Wherever a slice ends."""
        around = json.dumps("x" * (AT_ONCE - 60 + before) + text).encode()
        content = b'{"x":%s,"mod\\u0065l":"m","max_t\\u006fkens":9}' % around
        self.assertEqual(finish(wants_of(content)), Wants("m", len(content), 9))


class LearntTests(SynchronousTestCase):
    def test_said(self) -> None:
        """What a request says itself is what it can use, its input by its bytes."""
        self.assertEqual(Learnt().estimate("m", Wants("m", 31, 100)), Estimate(11, 100))

    def test_nothing_known(self) -> None:
        """Of a model of which nothing is known something is assumed."""
        self.assertEqual(Learnt().estimate("m", Wants("m", 30, None, 2, True)), Estimate(10 + HIDDEN, 2 * OUTPUT))

    def test_learns(self) -> None:
        """It goes up at once, and down when the last ones were all smaller."""
        learnt, wants = Learnt(), Wants("m", 30, None, 1, True)
        learnt.learn("m", wants, 100_010, OUTPUT + 1)
        self.assertEqual(learnt.estimate("m", wants), Estimate(10 + 100_000, OUTPUT + 1))
        for _ in range(REMEMBERED):
            learnt.learn("m", wants, 15, 20)
        self.assertEqual(learnt.estimate("m", wants), Estimate(15, 20))
        self.assertEqual(learnt.estimate("other", wants).output_tokens, OUTPUT)

    @given(st.lists(st.integers(0, 3 * OUTPUT), max_size=3 * REMEMBERED))
    def test_largest(self, outputs: list[int]) -> None:
        """It is the largest of the last ones, and while there are few what is assumed at least."""
        learnt = Learnt()
        for number, each in enumerate(outputs, 1):
            learnt.learn("m", Wants(), 1, each)
            last = outputs[max(0, number - REMEMBERED) : number]
            expected = max(last) if number >= REMEMBERED else max(OUTPUT, *last)
            self.assertEqual(learnt.estimate("m", Wants()).output_tokens, expected, number)

    def test_each_answer(self) -> None:
        """What several answers had together is that much less for one."""
        learnt = Learnt()
        for _ in range(REMEMBERED):
            learnt.learn("m", Wants(answers=4), 1, 400)
        self.assertEqual(learnt.estimate("m", Wants(answers=2)).output_tokens, 200)

    def test_bounded(self) -> None:
        """Clients may name any number of models."""
        learnt = Learnt()
        for number in range(2 * MOST_MODELS):
            learnt.learn(number, Wants(), 1, 9000)
        outputs = [learnt.estimate(each, Wants()).output_tokens for each in (0, 2 * MOST_MODELS - 1)]
        self.assertEqual(outputs, [OUTPUT, 9000])

    def test_unit(self) -> None:
        """A body of one byte is a token."""
        sizes = [Learnt().estimate("m", Wants(size=size, output=1)).input_tokens for size in (0, 1, BYTES_A_TOKEN)]
        self.assertEqual(sizes, [0, 1, 1])
