"""Answers of the upstream for benchmarks: a function of the request's head and body."""

from __future__ import annotations

import json
from typing import Literal, NamedTuple
from urllib.parse import parse_qsl

Kind = Literal["completion", "cacheable", "stream", "bytes", "sink"]

EVENT_LIMIT = 10_000_000


class Plan(NamedTuple):
    """
    One request as far as its head tells.

    @ivar length: of its body in bytes; C{None} if it is chunked.
    @ivar amount: events of a stream, bytes of a download.
    @ivar interval: nanoseconds between two events.
    @ivar close: the client wants no other answer on this connection.
    @ivar expects: it waits for C{100 Continue}.
    """

    kind: Kind
    length: int | None
    amount: int = 0
    interval: int = 0
    close: bool = False
    expects: bool = False


class Pace(NamedTuple):
    """What a stream is like if its request does not say: how many events, and nanoseconds between two."""

    amount: int
    interval: int


def _field(head: bytes, name: bytes) -> bytes:
    at = head.find(b"\r\n" + name + b":")
    if at < 0:
        return b""
    start = at + len(name) + 3
    return head[start : head.index(b"\r\n", start)].strip()


def _number(value: str, default: int) -> int:
    return min(int(value), EVENT_LIMIT) if value.isdigit() else default


def plan_of(head: bytes, pace: Pace) -> Plan:
    """
    @param head: to the end of its empty line.
    @raise ValueError: it is no request.
    """
    line = head[: head.index(b"\r\n")].decode("latin-1").split(" ")
    if len(line) != 3:
        raise ValueError("no request line")
    path, _, query = line[1].partition("?")
    lower = head.lower()
    chunked = b"chunked" in _field(lower, b"transfer-encoding")
    length = None if chunked else int(_field(lower, b"content-length") or b"0")
    close = b"close" in _field(lower, b"connection") or line[2] == "HTTP/1.0"
    kind, amount, interval = _asked(path, dict(parse_qsl(query)), pace)
    return Plan(kind, length, amount, interval, close, b"100-continue" in _field(lower, b"expect"))


def _asked(path: str, query: dict[str, str], pace: Pace) -> tuple[Kind, int, int]:
    head, _, last = path.rpartition("/")
    if head.endswith("/bytes") and last.isdigit():
        return "bytes", int(last), 0
    if last == "sink":
        return "sink", 0, 0
    if "sse" in query:
        milliseconds = _number(query.get("interval", ""), pace.interval // 1_000_000)
        return "stream", _number(query["sse"], pace.amount), milliseconds * 1_000_000
    return "cacheable" if "cacheable" in query else "completion", 0, 0


def wants_stream(body: bytes) -> bool:
    """For gateways that do not pass a query on."""
    return b'"stream":true' in body or b'"stream": true' in body


def _json(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


COMPLETION = _json(
    _compact(
        {
            "id": "chatcmpl-benchmark",
            "object": "chat.completion",
            "created": 1700000000,
            "model": "benchmark",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "The quick brown fox jumps over the lazy dog."},
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 9, "completion_tokens": 10, "total_tokens": 19},
        }
    )
)

CACHEABLE = COMPLETION.replace(b"\r\n", b"\r\nCache-Control: public, max-age=3600\r\n", 1)
"""The same, and a cache in between may store it."""

STREAM_HEAD = b"\r\n".join(
    (
        b"HTTP/1.1 200 OK",
        b"Content-Type: text/event-stream",
        b"Cache-Control: no-cache",
        b"Transfer-Encoding: chunked",
        b"\r\n",
    )
)
DONE = b"data: [DONE]\n\n"
STREAM_END = b"%x\r\n%b\r\n0\r\n\r\n" % (len(DONE), DONE)

_EVENT = (
    b'data: {"id":"chatcmpl-benchmark","object":"chat.completion.chunk","created":1700000000,"model":"benchmark",'
    b'"choices":[{"index":0,"delta":{"content":" token"},"finish_reason":null}],"sent_ns":"%020d"}\n\n'
)
_EVENT_CHUNK = b"%x\r\n%b\r\n" % (len(_EVENT % 0), _EVENT)


def event(now: int) -> bytes:
    """One event in a chunk of its own, stamped with the moment in nanoseconds."""
    return _EVENT_CHUNK % now


def bytes_head(count: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n" % count


def received(count: int) -> bytes:
    """What a sink answers once the upload is complete."""
    return _json(_compact({"received": count}))
