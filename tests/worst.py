"""
The worst that a caller can send, by kind, each as work in turns of the reactor.

What holds the process is one turn, not the sum of them: each C{next} of what a kind gives is a turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred

from llmproxy.config.model import MeterConfig
from llmproxy.core.forwarded import trusted_proxies
from llmproxy.core.inspection.batchlines import BatchLines
from llmproxy.core.inspection.contenttype import media_type
from llmproxy.core.inspection.endpointrules import EndpointRules, Rules
from llmproxy.core.inspection.uploads import MultipartJudge
from llmproxy.core.inspection.whitelist import EACH, Whitelist
from llmproxy.core.requestbody import inspection
from llmproxy.core.websocket import PING, TEXT, frame
from llmproxy.errors import ProxyError
from llmproxy.middleware.checking.frames import ClientFrames
from llmproxy.providers.registry import PLACES
from llmproxy.web.jsoninput import content_of
from llmproxy.web.manage.requests import NewToken
from tests.harness import SECRET, Exchange, Socket, a_request

HEAD = 60 * 1024
"""Bytes of one field: a head may have 64 KiB."""

TARGET = 8 * 1000
"""Bytes of a target; it may have 8 KiB."""

BODY = 256 * 1024
"""Bytes of a body that is inspected. More makes more turns and no longer ones."""

MANAGED = 64 * 1024
"""Bytes of a body of the management API, which takes no more."""

Turns = Iterator[None]
Kind = Callable[[], Turns]

WHITELIST = Whitelist.compile({"model": ["ok", "*-a*b*c?d[e-g]"], ("requests", EACH, "params", "model"): ["ok"]})


def _times(piece: bytes, size: int) -> bytes:
    return piece * (size // len(piece))


def plain() -> Turns:
    """What others are measured against: a small request that goes to upstream."""
    return _request(a_request(b"/v1/chat/completions", body=b'{"model":"ok"}'))()


def _request(request: bytes) -> Kind:
    """One request, from the client's bytes to upstream's connection."""

    def begin() -> Turns:
        exchange = Exchange(cached=True, **API)
        return turns(exchange, exchange.client())

    def turns(exchange: Exchange, client: Socket) -> Turns:
        for at in range(0, len(request), 64 * 1024):
            client.receive(request[at : at + 64 * 1024])
            yield
        for _ in range(3):
            exchange.turn()
            yield
        if exchange.upstream:
            exchange.upstream[0].receive(ANSWER)
            yield

    return begin


API: dict[str, Any] = {
    "allowed_endpoints": ["/v1", "/v1beta/models/*-*-*:generate", "/v1beta/*/*a*a*a*b/x", "/a/b/c/d/e/f"],
    "allowed_origins": ["https://a.example"],
    "param_whitelist": {"model": ["ok", "*-a*b*c?d[e-g]"]},
}
ANSWER = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nVary: Accept, Cookie, X-A\r\nContent-Length: 2\r\n\r\nok"


def _target(target: bytes) -> Kind:
    return _request(a_request(target))


def _field(name: bytes, value: bytes) -> Kind:
    body = b'{"model":"ok"}' if name in (b"Content-Type", b"Content-Encoding") else None
    return _request(a_request(b"/v1/x", name + b": " + value, body=body))


def _body(content_type: bytes, body: bytes) -> Kind:
    def turns() -> Turns:
        try:
            yield from inspection(media_type([content_type]), body, WHITELIST)
        except ProxyError:
            pass
        yield

    return turns


def _json(begin: bytes, piece: bytes, end: bytes) -> Kind:
    return _body(b"application/json", begin + _times(piece, BODY) + end)


def _form(body: bytes) -> Kind:
    return _body(b"application/x-www-form-urlencoded", body)


def _multipart(body: bytes, boundary: bytes = b"b") -> Kind:
    return _body(b"multipart/form-data; boundary=" + boundary, body)


def _batch(line: bytes) -> Kind:
    def turns() -> Turns:
        patterns = {"model": ["ok"], "/v1/chat/completions": {"n": ["1"]}}
        rules = EndpointRules.compile(patterns, places=PLACES)
        lines = BatchLines(Rules.compile({"model": ["ok"]}, PLACES), rules, lambda size: None)
        content = b"{}\n" + _times(line, BODY)
        try:
            # As a body comes: in reads of a socket.
            for at in range(0, len(content), 64 * 1024):
                yield from lines.feed(content[at : at + 64 * 1024])
                yield
        except ProxyError:
            pass
        yield

    return turns


def _upload(body: bytes) -> Kind:
    def turns() -> Turns:
        rules = Rules.compile({"model": ["ok"]}, PLACES)
        everywhere = EndpointRules.compile({"model": ["ok"]}, places=PLACES)
        judge = MultipartJudge(b"b", b"/v1/files", rules, everywhere, lambda size: None)
        try:
            for at in range(0, len(body), 64 * 1024):
                yield from judge.feed(body[at : at + 64 * 1024])
                yield
        except ProxyError:
            pass
        yield

    return turns


class _Caught:
    """Takes the work that is to be done in slices."""

    def run(self, steps: Turns) -> Deferred[None]:
        self.steps = steps
        return Deferred()


def _frames(*frames: tuple[int, bytes]) -> Kind:
    """As many frames as a read of a socket can hold, of a client of a WebSocket."""

    def turns() -> Turns:
        caught = _Caught()
        answers: Any = SimpleNamespace(finish=lambda text, close: None)
        upstream: Any = SimpleNamespace(write=lambda data: None)
        lease: Any = SimpleNamespace(take=lambda size: True, end=lambda: None)
        rules = Rules.compile({"model": ["ok"]}, PLACES)
        client = ClientFrames(upstream, answers, rules, 1 << 20, caught, lease)  # type: ignore[arg-type]
        client.write(_times(b"".join(frame(opcode, data, mask=True) for opcode, data in frames), 64 * 1024))
        yield from caught.steps
        yield

    return turns


_ANSWERS = {
    "openings": b"{",
    "members of nothing": b'"":"",',
    "small arrays": b'"":[],',
    "deep arrays": b'"":' + b"[" * 33 + b"]" * 33 + b",",
    "usages": b'"usage":{},',
    "escapes": b"\\n",
}


def _answer(kind: bytes, begin: bytes, piece: bytes) -> Kind:
    """An answer that is read for what it used, in reads of a socket."""

    def turns() -> Turns:
        exchange = Exchange(meter=MeterConfig(enabled=True))
        exchange.client().receive(a_request(b"/v1/x", body=b"{}"))
        [upstream] = exchange.upstream
        upstream.receive(b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n\r\n%b" % (kind, begin))
        for _ in range(4):
            upstream.receive(_times(piece, 64 * 1024))
            yield
        upstream.close()
        yield

    return turns


def _managed(body: bytes) -> Kind:
    def turns() -> Turns:
        request = SimpleNamespace(content=BytesIO(body), getHeader=lambda name: b"application/json")
        try:
            content_of(request, SimpleNamespace(body=NewToken, may_be_empty=False), MANAGED)  # type: ignore[arg-type]
        except ProxyError:
            pass
        yield

    return turns


def _forwarded(field: bytes, value: bytes) -> Kind:
    def turns() -> Turns:
        proxies = trusted_proxies(["10.0.0.0/8", "127.0.0.1"], field.decode())
        assert proxies is not None
        proxies.client_of("127.0.0.1", [(field, value)])
        yield

    return turns


_PART = b'--b\r\nContent-Disposition: form-data; name="a"'

_TARGETS = {
    "dashes": b"/v1beta/models/" + b"-" * TARGET,
    "stars of an entry": b"/v1beta/x/" + b"a" * TARGET + b"/x",
    "slashes": b"/" * TARGET,
    "short segments": _times(b"/a", TARGET),
    "encoded": b"/v1/" + _times(b"%61", TARGET),
    "encoded again and again": b"/v1/%" + b"25" * (TARGET // 2) + b"41",
    "dots": b"/v1/" + _times(b"%2e", TARGET),
    "query of nothing": b"/v1/x?" + b"&" * TARGET,
    "query of semicolons": b"/v1/x?" + _times(b"a;", TARGET),
    "query of parameters": b"/v1/x?" + _times(b"a=b&", TARGET),
    "query of models": b"/v1/x?" + _times(b"model=%6f&", TARGET),
    "query of keys": b"/v1/x?" + _times(b"key=sk-&", TARGET),
    "model in the path": b"/v1/" + _times(b"models/", TARGET),
}

_FIELDS = {
    "Content-Type of parameters": (b"Content-Type", b"a/b" + _times(b"; a=b", HEAD)),
    "Content-Type of quotes": (b"Content-Type", b'multipart/form-data; boundary="' + _times(b'\\"', HEAD)),
    "Content-Type of stars": (b"Content-Type", b"a/b" + _times(b";a*0=b", HEAD)),
    "Cookie": (b"Cookie", _times(b"a=b; ", HEAD)),
    "Accept": (b"Accept", _times(b"a/b;q=0.1,", HEAD)),
    "Accept-Encoding": (b"Accept-Encoding", _times(b"gzip;q=0.1,", HEAD)),
    "Accept, in blanks": (b"Accept", b"a" + b" " * HEAD + b"b"),
    "Cache-Control": (b"Cache-Control", _times(b"a=b,", HEAD)),
    "Cache-Control of quotes": (b"Cache-Control", b'no-cache="' + _times(b'\\",', HEAD)),
    "Cache-Control of fields": (b"Cache-Control", b'private="' + _times(b"a,", HEAD) + b'"'),
    "Cache-Control of numbers": (b"Cache-Control", b"max-age=" + b"9" * HEAD),
    "Pragma": (b"Pragma", _times(b'a="b",', HEAD)),
    "Range": (b"Range", b"bytes=" + _times(b"1-2,", HEAD)),
    "Range in blanks": (b"Range", b"bytes" + b" " * HEAD + b"x"),
    "Range of digits": (b"Range", b"bytes=" + b"9" * HEAD + b"-"),
    "If-None-Match": (b"If-None-Match", _times(b'W/"a",', HEAD)),
    "If-None-Match of quotes": (b"If-None-Match", _times(b'"', HEAD)),
    "If-Modified-Since": (b"If-Modified-Since", b"Mon, 01 Jan" + b" " * HEAD),
    "Vary": (b"Vary", _times(b"a,", HEAD)),
    "Connection": (b"Connection", _times(b"a,", HEAD)),
    "Via": (b"Via", _times(b"1.1 a,", HEAD)),
    "Via of comments": (b"Via", b"1.1 a " + b"(" * HEAD),
    "Max-Forwards": (b"Max-Forwards", b"9" * HEAD),
    "Expect": (b"Expect", _times(b"100-continue,", HEAD)),
    "TE": (b"TE", _times(b"trailers,", HEAD)),
    "Transfer-Encoding": (b"Transfer-Encoding", _times(b"chunked,", HEAD)),
    "Content-Encoding": (b"Content-Encoding", _times(b"gzip,", HEAD)),
    "Content-Length": (b"Content-Length", b"9" * HEAD),
    "Origin": (b"Origin", b"http://" + b"a" * HEAD),
    "Authorization": (b"X-Api-Key", SECRET + b"A" * HEAD),
    "Sec-WebSocket-Protocol": (b"Sec-WebSocket-Protocol", _times(b"openai-insecure-api-key.sk-a, ", HEAD)),
    "Upgrade": (b"Upgrade", _times(b"websocket,", HEAD)),
    "X-Request-ID": (b"X-Request-ID", _times(b"sk-a", HEAD)),
    "User-Agent": (b"User-Agent", _times(b"bearer sk-a", HEAD)),
    "User-Agent, encoded": (b"User-Agent", b"%" + b"25" * (HEAD // 2)),
    "User-Agent of tokens": (b"User-Agent", _times(b"eyJa.", HEAD)),
    "X-Forwarded-For": (b"X-Forwarded-For", _times(b"10.0.0.1,", HEAD)),
    "X-HTTP-Method-Override": (b"X-HTTP-Method", b"A" * HEAD),
    "Prefer": (b"Prefer", _times(b'a="b";c,', HEAD)),
    "Idempotency-Key": (b"Idempotency-Key", b"a" * HEAD),
}

_JSON_BODIES = {
    "arrays": (b'{"a":[', b"[],", b"[]]}"),
    "arrays in arrays": (b'{"a":[', b"[[[0]]],", b"0]}"),
    "deep arrays": (b'{"a":[', b"[" * 200 + b"]" * 200 + b",", b"0]}"),
    "too deep": (b'{"a":', b"[", b""),
    "objects": (b'{"a":[', b'{"":{"":0}},', b"0]}"),
    "members": (b'{"a":1', b',"a":1', b"}"),
    "members of another name": (b'{"a":1', b',"\\u006d":[1]', b"}"),
    "members within": (b'{"a":{"a":1', b',"a":[{}]', b"}}"),
    "elements that are asked about": (b'{"requests":[{}', b',{"params":{"model":"ok"}}', b"]}"),
    "escapes": (b'{"a":"', b"\\u00e9\\n", b'"}'),
    "a long string": (b'{"a":"', b"x", b'"}'),
    "a long model": (b'{"model":"', b"-a", b'"}'),
    "characters": (b'{"a":"', "é".encode(), b'"}'),
    "a long number": (b'{"a":', b"1", b"}"),
    "numbers": (b'{"a":[', b"1e5,", b"0]}"),
    "long numbers": (b'{"a":[', b"9" * 500 + b"." + b"9" * 500 + b",", b"0]}"),
    "blanks": (b'{"a":[', b" " * 4000 + b"1" + b" " * 4000 + b",", b"0]}"),
    "blanks at the wrong place": (b'{"a":[', b"[" + b" " * 4000 + b"0" + b" " * 4000 + b"x", b"]}"),
    "nothing but blanks": (b"", b" ", b""),
    "a long name": (b'{"', b"a", b'":1}'),
    "a string without an end": (b'{"a":["', b'\\"', b""),
}

_FORMS = {
    "fields": _times(b"a=1&", BODY),
    "nothing": b"&" * BODY,
    "a thousand fields": _times(b"&%61=" + b"%61" * 1300, BODY)[1:],
    "an encoded name": _times(b"%61", BODY) + b"=1",
    "an encoded model": b"model=" + _times(b"%6f", BODY),
    "a model of plus": b"model=" + b"+" * BODY,
    "characters": b"a=" + _times("é".encode(), BODY),
    "one name": b"a" * BODY,
}

_MULTIPARTS = {
    "parts": _times(_PART + b"\r\n\r\n\r\n", BODY),
    "a long head": _PART + b"\r\nX: " + b"x" * BODY,
    "parameters": b"--b\r\nContent-Disposition: form-data" + _times(b"; name=a", BODY),
    "quotes": b'--b\r\nContent-Disposition: form-data; name="' + _times(b'\\"', 8000),
    "backslashes": b'--b\r\nContent-Disposition: form-data; filename="' + b"\\" * 8000 + b'"\r\n\r\n',
    "lines": b"--b\r\n" + _times(b"X: y\r\n", 8000) + b"\r\n",
    "content": _PART + b"\r\n\r\n" + _times(b"\r\n-", BODY),
    "content of blanks": _PART + b"\r\n\r\n" + b"\r" * BODY,
    "a long model": b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\n' + b"x" * BODY + b"\r\n--b--",
}

_MANAGED_BODIES = {
    "arrays": b"[" * MANAGED,
    "members": b"{" + _times(b'"a":1,', MANAGED - 10) + b'"b":1}',
    "other members": b"{%b}" % b",".join(b'"%d":1' % number for number in range(MANAGED // 10)),
    "objects": b'{"a":[' + _times(b"{},", MANAGED - 20) + b"{}]}",
    "a long number": b'{"max_requests":' + b"9" * (MANAGED - 20) + b"}",
    "a long fraction": b'{"max_requests":1.' + b"9" * (MANAGED - 20) + b"}",
    "a large exponent": b'{"max_requests":1e-' + b"9" * (MANAGED - 20) + b"}",
    "fractions": b'{"a":[' + _times(b"1.5,", MANAGED - 20) + b"0]}",
    "escapes": b'{"a":"' + _times(b"\\u00e9", MANAGED - 20) + b'"}',
}

_BATCHES = {
    "blank lines": b"\n",
    "blanks": b" \n",
    "small lines": b"{}\n",
    "lines with a url": b'{"url":"/v1/chat/completions","body":{"model":"ok"}}\n',
    "lines of slashes": b'{"url":"%b"}\n' % (b"/" * 1000),
    "one line": b"[],",
}

_FORWARDED = {
    "addresses": (b"x-forwarded-for", _times(b"10.0.0.1,", HEAD)),
    "an address": (b"x-forwarded-for", b"1" * HEAD),
    "colons": (b"x-forwarded-for", b"[" + b":" * HEAD + b"]"),
    "pairs": (b"forwarded", _times(b"for=10.0.0.1;", HEAD)),
    "elements": (b"forwarded", _times(b"for=10.0.0.1,", HEAD)),
    "blanks": (b"forwarded", b"for" + b" " * HEAD + b"x"),
    "quotes": (b"forwarded", b'for="' + _times(b'\\"', HEAD)),
}

KINDS: dict[str, Kind] = {
    **{f"target: {name}": _target(target) for name, target in _TARGETS.items()},
    **{f"field: {name}": _field(*field) for name, field in _FIELDS.items()},
    "field: 190 of them": _request(a_request(b"/v1/x", *(b"X-%d: %b" % (n, b"a" * 300) for n in range(190)))),
    "field: 190 cookies": _request(a_request(b"/v1/x", *(_times(b"Cookie: a=b;", 300) for _ in range(190)))),
    "chunks of a byte": _request(
        a_request(b"/v1/x", b"Transfer-Encoding: chunked", method=b"POST") + _times(b"1\r\na\r\n", HEAD)
    ),
    "pipelined requests": _request(_times(a_request(b"/v1/x"), HEAD)),
    **{f"JSON: {name}": _json(*parts) for name, parts in _JSON_BODIES.items()},
    **{f"form: {name}": _form(body) for name, body in _FORMS.items()},
    **{f"multipart: {name}": _multipart(body) for name, body in _MULTIPARTS.items()},
    "multipart: dashes": _multipart(
        b"--" + b"-" * 69 + b"x\r\nContent-Disposition: form-data; name=a\r\n\r\n" + b"-" * BODY, b"-" * 69 + b"x"
    ),
    **{f"upload: {name}": _upload(body) for name, body in _MULTIPARTS.items()},
    "frames: pings": _frames((PING, b"")),
    "frames: messages of nothing": _frames((TEXT, b"")),
    "frames: small messages": _frames((TEXT, b"{}")),
    "frames: one message": _frames((TEXT, b'{"a":[' + _times(b"[],", 60_000) + b"0]}")),
    **{f"answer: {name}": _answer(b"application/json", b"{", piece) for name, piece in _ANSWERS.items()},
    **{f"long event: {name}": _answer(b"text/event-stream", b"data:{", piece) for name, piece in _ANSWERS.items()},
    "events: usages": _answer(b"text/event-stream", b"", b'data:{"usage":{"prompt_tokens":1}}\n\n'),
    "events: of nothing": _answer(b"text/event-stream", b"", b"data:\r\r"),
    "lines: usages": _answer(b"application/x-ndjson", b"", b'{"usage":{}}\n'),
    **{f"batch: {name}": _batch(line) for name, line in _BATCHES.items()},
    **{f"management: {name}": _managed(body) for name, body in _MANAGED_BODIES.items()},
    **{f"Forwarded: {name}": _forwarded(*parts) for name, parts in _FORWARDED.items()},
}
"""By a name that says what is sent."""
