"""What a client is sent of what is stored."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.caching.answer import Answer, answer
from llmproxy.core.caching.directives import asked_by
from llmproxy.core.caching.entry import Entry
from llmproxy.core.caching.status import hit
from llmproxy.message import Field

TOLD = hit(30)


def entry(**changes: Any) -> Entry:
    values: dict[str, Any] = {
        "status": 200,
        "reason": b"OK",
        "fields": [(b"Content-Length", b"10"), (b"ETag", b'"a"'), (b"Via", b"1.1 llmproxy"), (b"X-A", b"1")],
        "response_time": 1000.0,
        "initial_age": 5.0,
        "lifetime": 60.0,
        "always_validate": False,
        "never_stale": False,
        "while_revalidate": 0.0,
        "if_error": 0.0,
        "size": 10,
    }
    return Entry(**(values | changes))


def answered(*fields: Field, head: bool = False, **changes: Any) -> Answer:
    return answer(entry(**changes), asked_by(list(fields)), 1010.9, TOLD, head=head)


class AnswerTests(SynchronousTestCase):
    def test_whole(self) -> None:
        """All of it, with its age in whole seconds, and our word behind upstream's."""
        made = answered(fields=[(b"Cache-Status", b"edge; hit")])
        self.assertEqual((made.status, made.reason, made.part), (200, b"OK", (0, 10)))
        self.assertEqual(made.fields, [(b"Cache-Status", b"edge; hit"), (b"Age", b"15"), TOLD])

    def test_head(self) -> None:
        """HEAD gets the same head, whatever range it names."""
        made = answered((b"Range", b"bytes=0-1"), head=True)
        self.assertEqual((made.status, made.part), (200, None))
        self.assertIn((b"Content-Length", b"10"), made.fields)

    def test_part(self) -> None:
        """A part says which one it is, and how long."""
        made = answered((b"Range", b"bytes=-3"))
        self.assertEqual((made.status, made.reason, made.part), (206, b"Partial Content", (7, 10)))
        self.assertEqual(made.fields[-4:-2], [(b"Content-Range", b"bytes 7-9/10"), (b"Content-Length", b"3")])
        self.assertEqual([value for name, value in made.fields if name == b"Content-Length"], [b"3"])

    def test_no_such_part(self) -> None:
        """What lies behind the end is refused, with the size."""
        made = answered((b"Range", b"bytes=10-"))
        self.assertEqual((made.status, made.part), (416, None))
        self.assertEqual(made.fields[:2], [(b"Content-Range", b"bytes */10"), (b"Content-Length", b"0")])

    def test_condition_first(self) -> None:
        """A client that has it needs no part of it."""
        made = answered((b"If-None-Match", b'"a"'), (b"Range", b"bytes=0-1"))
        self.assertEqual((made.status, made.reason, made.part), (304, b"Not Modified", None))
        self.assertEqual([name for name, _ in made.fields], [b"ETag", b"Via", b"Age", b"Cache-Status"])
