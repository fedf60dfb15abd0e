"""What upstream sees is what the client sent, and what the client gets is what upstream sent."""

from __future__ import annotations

import random

from .harness import UPSTREAM_KEY, ProxyTestCase, get, post

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


PIECES = [b"%7e", b"%2F", b"b%2fc", b"+", b"=", b"&", b"?", b"'", b"(", b"~", b"!", b"*", b":", b"@", b"$", b",", b"Z"]


def generated_field(chance: random.Random, number: int) -> bytes:
    """A field line whose name has an odd case and whose value has odd bytes."""
    name = bytes(chance.choices(b"aBcD-", k=5)) + b"%d" % number
    return name + b": " + bytes(chance.choices(b"xyz ,;=\xe9", k=9)).strip()


def head_and_body(message: bytes) -> tuple[list[bytes], bytes]:
    head, _, body = message.partition(b"\r\n\r\n")
    return head.split(b"\r\n"), body


class RequestTests(ProxyTestCase):
    """From the client to upstream."""

    async def seen(self, request: bytes, end: bytes = b"\r\n\r\n") -> tuple[list[bytes], bytes]:
        """What upstream sees of C{request}."""
        client = await self.send(request)
        wire = await self.upstream.wire()
        await wire.until_received(end)
        wire.send(OK)
        await client.until_received(b"ok")
        return head_and_body(wire.received)

    async def test_fields(self) -> None:
        """Order, case and repeats of fields arrive as they were sent; only what has to change has changed."""
        lines, _ = await self.seen(
            get(
                b"/v1/x",
                b"x-ODD-case: Some  Value",
                b"Repeat: 1",
                b"ACCEPT-encoding: gzip",
                b"Repeat: 2",
                b"Cookie: a=b",
            )
        )
        self.assertEqual(
            [line for line in lines if not line.startswith(b"X-Request-ID: ")],
            [
                b"GET /v1/x HTTP/1.1",
                b"Host: " + self.base_url[7:].encode(),
                b"Authorization: Bearer " + UPSTREAM_KEY.encode(),
                b"x-ODD-case: Some  Value",
                b"Repeat: 1",
                b"ACCEPT-encoding: gzip",
                b"Repeat: 2",
                b"Cookie: a=b",
                b"Via: 1.1 llmproxy",
            ],
        )

    async def test_target(self) -> None:
        """The bytes of the target are nobody's to change."""
        target = b"/v1/a%2Fb/%7euser/c%20d;p=1?q=%2f&&x=a+b&=&Q='\"|~"
        lines, _ = await self.seen(get(target))
        self.assertEqual(lines[0], b"GET " + target + b" HTTP/1.1")

    async def test_method(self) -> None:
        """A method that nobody has heard of passes, where the API's policy lists it."""
        lines, _ = await self.seen(get(method=b"BREW"))
        self.assertEqual(lines[0], b"BREW /v1/x HTTP/1.1")

    async def test_base_path(self) -> None:
        """The path of a C{base_url} stands before the target, and the name of the API does not."""
        lines, _ = await self.seen(get(b"/other/v1/x?y=1"))
        self.assertEqual(lines[0], b"GET /base/v1/x?y=1 HTTP/1.1")

    async def test_body(self) -> None:
        """Every byte of a body arrives, and its length is what it was."""
        body = bytes(range(256)) * 8
        lines, seen = await self.seen(post(body), body)
        self.assertEqual(seen, body)
        self.assertIn(b"Content-Length: 2048", lines)

    async def test_chunked_body(self) -> None:
        """A chunked upload goes on chunked: its length was not known."""
        request = get(b"/v1/x", b"Transfer-Encoding: chunked", method=b"POST") + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        lines, seen = await self.seen(request, b"0\r\n\r\n")
        self.assertIn(b"Transfer-Encoding: chunked", lines)
        self.assertEqual(seen, b"5\r\nabcde\r\n0\r\n\r\n")

    async def test_large_body(self) -> None:
        """A body larger than any buffer arrives whole."""
        body = random.Random(1).randbytes(3_000_000)
        _, seen = await self.seen(post(body), body[-64:])
        self.assertTrue(seen == body)

    async def test_hop_by_hop(self) -> None:
        """Fields of the client's connection, and those that tell where the client is, end here."""
        lines, _ = await self.seen(
            get(
                b"/v1/x",
                b"Connection: X-Hop, keep-alive",
                b"X-Hop: 1",
                b"Keep-Alive: 5",
                b"TE: trailers",
                b"Upgrade: h2c",
                b"Proxy-Authorization: Basic x",
                b"X-Forwarded-For: 192.0.2.1",
                b"X-Real-IP: 192.0.2.1",
                b"X-Stays: 1",
            )
        )
        names = [line.partition(b":")[0].lower() for line in lines[1:]]
        self.assertEqual(names, [b"host", b"authorization", b"x-stays", b"via", b"x-request-id"])

    async def test_credentials(self) -> None:
        """No credential of the client's passes beside the project's key, wherever it stands."""
        lines, _ = await self.seen(
            b"GET /v1/x?key=%b&a=1 HTTP/1.1\r\nHost: x\r\nx-API-key: TOKEN\r\napi-key: other\r\n"
            b"x-goog-api-key: third\r\n\r\n" % self.secret.encode()
        )
        self.assertEqual(lines[0], b"GET /v1/x?a=1 HTTP/1.1")
        self.assertEqual(lines[2], b"Authorization: Bearer " + UPSTREAM_KEY.encode())
        text = b"\n".join(lines)
        for gone in (self.secret.encode(), b"other", b"third"):
            self.assertNotIn(gone, text)

    async def test_request_id(self) -> None:
        """A client's own request id goes on, and stands in the record."""
        lines, _ = await self.seen(get(b"/v1/x", b"X-Request-ID: mine-1"))
        self.assertEqual(
            [line for line in lines if line.lower().startswith(b"x-request-id")], [b"X-Request-ID: mine-1"]
        )
        self.assertEqual(self.records[0].request_id, "mine-1")

    async def test_generated(self) -> None:
        """Many generated requests: whatever targets, fields, framing and splits, upstream sees the same bytes."""
        chance = random.Random(11)
        client = await self.client()
        wire = None
        for number in range(40):
            target = b"/v1/%d/a" % number + b"".join(chance.choices(PIECES, k=9))
            fields = [generated_field(chance, at) for at in range(chance.randrange(8))]
            body = chance.randbytes(chance.choice([0, 1, 30, 70_000]))
            head = [
                b"POST " + target + b" HTTP/1.1",
                b"Host: h",
                b"Authorization: Bearer " + self.secret.encode(),
                *fields,
            ]
            if chance.random() < 0.5:
                head.append(b"Content-Length: %d" % len(body))
                sent = body
            else:
                head.append(b"Transfer-Encoding: chunked")
                sent = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:10], body[10:]) if part)
                sent += b"0\r\n\r\n"
            message = b"\r\n".join([*head, b"", b""]) + sent
            cut = chance.randrange(len(message))
            client.send(message[:cut])
            client.send(message[cut:])
            wire = wire or await self.upstream.wire()
            await wire.until(lambda wire=wire, body=body: complete(wire.received, body))  # type: ignore[misc]
            lines, _ = head_and_body(wire.received)
            self.assertEqual(lines[0], head[0], number)
            seen = [line for line in lines[3:] if not line.startswith((b"Via: ", b"X-Request-ID: "))]
            self.assertEqual(seen, head[3:], number)
            wire.received = b""
            wire.send(OK)
            await client.until(lambda count=number + 1: client.received.count(b"\r\n\r\nok") == count)  # type: ignore[misc]


class ResponseTests(ProxyTestCase):
    """From upstream to the client."""

    async def got(self, *pieces: bytes, request: bytes = get(), end: bytes = b"") -> bytes:
        """What the client gets of what upstream sends."""
        client = await self.send(request)
        wire = await self.upstream.wire()
        await wire.until_received(b"\r\n\r\n")
        for piece in pieces:
            wire.send(piece)
        await client.until_received(end or pieces[-1].partition(b"\r\n\r\n")[2])
        return client.received

    async def test_fields(self) -> None:
        """Fields, cookies, redirects and codings come back as upstream wrote them."""
        head = (
            b"HTTP/1.1 302 Elsewhere\r\nsERVER: x\r\nSet-Cookie: a=1\r\nLocation: https://else.example/\r\n"
            b"set-cookie: b=2\r\nContent-Encoding: gzip\r\ndAtE: yesterday\r\nContent-Length: 4\r\n"
        )
        got = await self.got(head + b"\r\n\x1f\x8b\x00\xff")
        lines, body = head_and_body(got)
        self.assertEqual(lines[:-4], head.strip().split(b"\r\n"))
        self.assertEqual(lines[-4:-2], [b"Via: 1.1 llmproxy", b"Cache-Status: llmproxy; fwd=uri-miss"])
        self.assertEqual([line.partition(b":")[0] for line in lines[-2:]], [b"X-Request-ID", b"request-id"])
        self.assertEqual(body, b"\x1f\x8b\x00\xff")

    async def test_no_cookie_is_kept(self) -> None:
        """What upstream sets for one tenant never goes out with the request of another."""
        await self.got(b"HTTP/1.1 200 OK\r\nSet-Cookie: tenant=a\r\nContent-Length: 2\r\n\r\nok")
        self.secret = await self.new_token()
        await self.send(get(b"/v1/again"))
        wire = self.upstream.wires[0]
        await wire.until_received(b"/v1/again")
        await wire.until(lambda: wire.received.endswith(b"\r\n\r\n"))
        self.assertNotIn(b"ookie", wire.received)

    async def test_upstreams_own_request_id(self) -> None:
        """A provider's request id is the client's to quote: it is not replaced, and ours is not put beside it."""
        got = await self.got(b"HTTP/1.1 200 OK\r\nx-request-id: req_1\r\nContent-Length: 2\r\n\r\nok")
        self.assertEqual(got.lower().count(b"x-request-id"), 1)

    async def test_event_by_event(self) -> None:
        """An event reaches the client while the next one does not exist yet."""
        client = await self.send(get())
        wire = await self.upstream.wire()
        await wire.until_received(b"\r\n\r\n")
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(3):
            wire.send(b"9\r\ndata: %d\n\n\r\n" % number)
            await client.until_received(b"data: %d\n\n" % number)
        wire.send(b"0\r\nX-Sum: 7\r\n\r\n")
        await client.until_received(b"0\r\nX-Sum: 7\r\n\r\n")

    async def test_close_delimited(self) -> None:
        """An answer that ends with its connection ends, for the client, as a complete chunked one."""
        client = await self.send(get())
        wire = await self.upstream.wire()
        await wire.until_received(b"\r\n\r\n")
        wire.send(b"HTTP/1.1 200 OK\r\n\r\nabc")
        await client.until_received(b"abc")
        wire.close()
        await client.until_received(b"\r\n0\r\n\r\n")

    async def test_head(self) -> None:
        """The answer to HEAD keeps its Content-Length, has no content, and leaves the connection usable."""
        client = await self.send(get(method=b"HEAD") + get(b"/v1/second").replace(b"TOKEN", self.secret.encode()))
        wire = await self.upstream.wire()
        await wire.until_received(b"\r\n\r\n")
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
        await wire.until_received(b"/v1/second")
        wire.send(OK)
        await client.until_received(b"ok")
        self.assertEqual(client.received.count(b"HTTP/1.1 200"), 2)
        self.assertIn(b"Content-Length: 1234", client.received)

    async def test_no_content(self) -> None:
        """A 204 and a 304 have no content and no framing; the next answer is read as what it is."""
        client = await self.send(get() + get(b"/v1/second").replace(b"TOKEN", self.secret.encode()))
        wire = await self.upstream.wire()
        await wire.until_received(b"\r\n\r\n")
        wire.send(b"HTTP/1.1 204 No Content\r\n\r\n")
        await wire.until_received(b"/v1/second")
        wire.send(b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n')
        await client.until_received(b"304 Not Modified")
        self.assertNotIn(b"chunked", client.received)
        self.assertNotIn(b"Content-Length", client.received)

    async def test_interim(self) -> None:
        """A 103 reaches the client before the answer, a 100 does not."""
        got = await self.got(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", OK, end=b"ok"
        )
        self.assertTrue(got.startswith(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n"), got)

    async def test_generated(self) -> None:
        """Many generated answers: whatever fields, framing and splits, the content arrives byte for byte."""
        chance = random.Random(7)
        client = await self.client()
        wire = None
        for number in range(40):
            body = chance.randbytes(chance.choice([0, 1, 10, 5000, 100_000]))
            fields = b"".join(
                b"X-%d: %b\r\n" % (at, bytes(chance.choices(b"abc ,;=\"'\xe9", k=9)).strip() or b"x")
                for at in range(chance.randrange(6))
            )
            if chance.random() < 0.5:
                message = fields + b"Content-Length: %d\r\n\r\n" % len(body) + body
            else:
                message = fields + b"Transfer-Encoding: chunked\r\n\r\n"
                rest = body
                while rest:
                    size = chance.randrange(1, len(rest) + 1)
                    message += b"%x\r\n%b\r\n" % (size, rest[:size])
                    rest = rest[size:]
                message += b"0\r\n\r\n"
            before = len(client.received)
            client.send(get(b"/v1/%d" % number).replace(b"TOKEN", self.secret.encode()))
            wire = wire or await self.upstream.wire()
            await wire.until_received(b"/v1/%d " % number)
            message = b"HTTP/1.1 200 OK\r\n" + message
            cut = chance.randrange(len(message))
            wire.send(message[:cut])
            wire.send(message[cut:])
            await client.until(lambda start=before, wanted=body: complete(client.received[start:], wanted))  # type: ignore[misc]
            self.assertIn(fields, client.received[before:])


def complete(message: bytes, body: bytes) -> bool:
    """Whether C{message} is a whole response whose content is C{body}."""
    head, blank, rest = message.partition(b"\r\n\r\n")
    if not blank:
        return False
    if b"Transfer-Encoding: chunked" not in head:
        return rest == body
    content = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        if not size or not int(size, 16):
            return content == body and size == b"0"
        content, rest = content + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return False
