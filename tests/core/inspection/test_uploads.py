"""Tests for L{llmproxy.core.inspection.uploads}."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.inspection.endpointrules import EndpointRules
from llmproxy.core.inspection.steps import finish
from llmproxy.core.inspection.uploads import LONGEST_OBJECT, MultipartJudge
from llmproxy.errors import BadRequest, ParamNotAllowed, ProxyError
from llmproxy.providers.registry import PLACES

from ...tables import row

RULES = EndpointRules.compile({"model": ["ok", "whisper-*"]}, places=PLACES)
GOOD = b'{"custom_id":"1","url":"/v1/chat/completions","body":{"model":"ok"}}\n'
BAD = GOOD.replace(b"ok", b"evil")
OTHER = b"%PDF-1.7\n\x00\xff not JSON \n"

Part = tuple[str, bytes, str]


def field(name: str, value: bytes, filename: str = "") -> Part:
    return name, value, filename


def body(*parts: Part) -> bytes:
    out = b""
    for name, value, filename in parts:
        disposition = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
        out += f"--xYz\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + value + b"\r\n"
    return out + b"--xYz--\r\n"


def judge(path: bytes, data: bytes, size: int = 13) -> None:
    assert RULES.general is not None
    judge = MultipartJudge(b"xYz", path, RULES.general, RULES, lambda size: None)
    for at in range(0, len(data), size):
        finish(judge.feed(data[at : at + size]))
    finish(judge.end())


class MultipartJudgeTests(SynchronousTestCase):
    def check(self, path: bytes, parts: tuple[Part, ...], kind: type[ProxyError] | None) -> None:
        for size in (1, 10_000):
            if kind is None:
                judge(path, body(*parts), size)
            else:
                with row(size):
                    self.assertRaises(kind, judge, path, body(*parts), size)

    def test_audio(self) -> None:
        """The model of a transcription is a field before or behind the file, whose content is nobody's business."""
        file = field("file", OTHER * 100, "a.mp3")
        for model, kind in ((b"whisper-1", None), (b"evil", ParamNotAllowed)):
            for parts in ((field("model", model), file), (file, field("model", model))):
                self.check(b"/v1/audio/transcriptions", parts, kind)

    def test_batch(self) -> None:
        """A batch file is judged line by line, wherever its purpose stands."""
        purpose = field("purpose", b"batch")
        for path in (b"/v1/files", b"/openai/files", b"/v1/Files", b"/openai/v1/files"):
            for content, kind in ((GOOD * 3, None), (GOOD + BAD + GOOD, ParamNotAllowed), (OTHER, BadRequest)):
                file = field("file", content, "b.jsonl")
                self.check(path, (purpose, file), kind)
                self.check(path, (file, purpose), kind)
                self.check(path, (field("file", content), purpose), kind)

    def test_early(self) -> None:
        """The first bad line breaks the upload, with the rest of the file still to come."""
        assert RULES.general is not None
        judge = MultipartJudge(b"xYz", b"/v1/files", RULES.general, RULES, lambda size: None)
        data = body(field("purpose", b"batch"), field("file", BAD + GOOD * 1000, "b.jsonl"))
        self.assertRaises(ParamNotAllowed, finish, judge.feed(data[:1000]))

    def test_other_files(self) -> None:
        """A file for another purpose is not looked at."""
        for purpose in (b"user_data", b"fine-tune", b"assistants", b"vision", b"evals"):
            for content in (BAD, OTHER):
                parts = (field("purpose", purpose), field("file", content, "x"))
                self.check(b"/v1/files", parts, None)
                self.check(b"/v1/files", parts[::-1], None)

    def test_no_purpose(self) -> None:
        """Without a purpose (Anthropic's files have none) what looks like a batch is judged as one."""
        for content, kind in ((OTHER, None), (GOOD, None), (BAD, ParamNotAllowed)):
            self.check(b"/v1/files", (field("file", content, "x"),), kind)

    def test_purpose_in_disguise(self) -> None:
        """A purpose that some server takes for a batch is one."""
        for purpose in (b"Batch", b" batch", b"batch\r\n", b"batch_api"):
            self.check(b"/v1/files", (field("purpose", purpose), field("file", BAD, "x")), ParamNotAllowed)
        twice = (field("purpose", b"vision"), field("Purpose", b"batch"), field("file", BAD, "x"))
        self.check(b"/v1/files", twice, BadRequest)
        self.check(b"/v1/files", (field("purpose", b"vision", "p"), field("file", BAD, "x")), BadRequest)

    def test_two_files(self) -> None:
        """Each file of an upload is judged."""
        parts = (field("purpose", b"batch"), field("file", GOOD, "a"), field("file2", BAD, "b"))
        self.check(b"/v1/files", parts, ParamNotAllowed)

    def test_objects(self) -> None:
        """A field that is JSON is looked into: the session of a call of Realtime."""
        for model, kind in (("ok", None), ("evil", ParamNotAllowed)):
            session = json.dumps({"type": "realtime", "model": model}).encode()
            self.check(b"/v1/realtime/calls", (field("sdp", b"v=0"), field("session", session)), kind)
        self.check(b"/v1/realtime/calls", (field("session", b"{"),), BadRequest)
        for part in (field("audio", OTHER * 1000, "a.mp3"), field("method", b"tools/list"), field("session", b" ")):
            self.check(b"/v1/realtime/calls", (part,), None)
        large = body(field("session", b'{"a":"' + b"x" * LONGEST_OBJECT + b'"}'))
        self.assertRaises(BadRequest, judge, b"/v1/realtime/calls", large, 10_000)

    def test_nested_names(self) -> None:
        """A field whose name says where it stands in an object is judged as that is, as SDKs write it."""
        for name in ("session[model]", "session[Model]", "models[]", "models[0]", "tools[0][model]", "tools[][model]"):
            self.check(b"/v1/realtime/calls", (field(name, b"evil"),), ParamNotAllowed)
            self.check(b"/v1/realtime/calls", (field(name, b"ok"),), None)
        for name in ("session.model", "tools[model]", "session[audio][input][transcription][model]", "models"):
            self.check(b"/v1/realtime/calls", (field(name, b"evil"),), ParamNotAllowed)
        for name in ("metadata[model]", "session[instructions]", "timestamp_granularities[]"):
            self.check(b"/v1/realtime/calls", (field(name, b"evil"),), None)

    def test_incomplete(self) -> None:
        """A body without its end is not complete."""
        self.assertRaises(BadRequest, judge, b"/v1/files", body(field("purpose", b"batch"))[:-6])
