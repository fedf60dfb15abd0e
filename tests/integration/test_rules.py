"""Who may ask for what, seen by a client of the whole proxy; and that no secret is told to anybody."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import deferLater

from llmproxy.config import APIProviderConfig

from .harness import MANAGEMENT_TOKEN, UPSTREAM_KEY, ProxyTestCase, get, post

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
JSON = b"Content-Type: application/json"


class RulesTests(ProxyTestCase):
    def api(self, base_url: str) -> APIProviderConfig:
        return APIProviderConfig(
            base_url=base_url,
            allowed_endpoints=["/v1/chat", "/v1/models/*/info"],
            allowed_methods=["GET", "POST"],
            param_whitelist={"model": ("gpt-4o", "org/*")},
            allowed_origins=["https://app.example"],
            required_headers=["X-Team"],
        )

    async def answer(self, request: bytes) -> tuple[int, dict[str, Any], bytes]:
        """Status, JSON body and whole bytes of a refusal."""
        client = await self.send(request)
        await client.until(lambda: client.received.endswith(b"}\n") or client.received.endswith(b"ok"))
        head, _, body = client.received.partition(b"\r\n\r\n")
        return int(head[9:12]), json.loads(body) if body != b"ok" else {}, head + b"\r\n"

    async def refused(self, request: bytes) -> tuple[int, str]:
        status, body, _ = await self.answer(request)
        self.assertEqual(self.upstream.wires, [])
        return status, body["code"]

    async def test_refusals(self) -> None:
        """The statuses and codes of the reference; nothing of what is refused reaches upstream."""
        team = b"X-Team: a"
        for request, expected in (
            (get(b"/v1/chat", team).replace(b"Authorization: Bearer TOKEN\r\n", b""), (401, "invalid_token")),
            (get(b"/v1/chat", team).replace(b"TOKEN", b"sk-short"), (401, "invalid_token")),
            (get(b"/v1/chat", team).replace(b"TOKEN", b"sk-" + b"A" * 22), (401, "token_not_found")),
            (get(b"/v1/chat", team, method=b"DELETE"), (405, "method_not_allowed")),
            (get(b"/v1/chatter", team), (404, "endpoint_not_found")),
            (get(b"/v1/chat/../files", team), (404, "endpoint_not_found")),
            (get(b"/v1/chat/%2e%2e/files", team), (404, "endpoint_not_found")),
            (get(b"/v1/chat"), (400, "header_required")),
            (get(b"/v1/chat", team, b"Origin: https://evil.example"), (403, "origin_not_allowed")),
            (post(b'{"model":"gpt-3"}', JSON, team, path=b"/v1/chat"), (400, "param_not_allowed")),
            (post(b'{"model":"gpt-4o","model":"x"}', JSON, team, path=b"/v1/chat"), (400, "bad_request")),
            (post(b"{", JSON, team, path=b"/v1/chat"), (400, "bad_request")),
            (post(b"model=gpt-3", b"Content-Type: application/x-www-form-urlencoded", team, path=b"/v1/chat"),
             (400, "param_not_allowed")),
            (post(b"<x/>", b"Content-Type: text/xml", team, path=b"/v1/chat"), (415, "unsupported_media_type")),
        ):  # fmt: skip
            self.assertEqual(await self.refused(request), expected, request)

    async def test_fields_of_refusals(self) -> None:
        """A 401 carries a challenge, a 405 what is allowed."""
        _, _, head = await self.answer(get(b"/v1/chat").replace(b"TOKEN", b"x"))
        self.assertIn(b'\r\nWWW-Authenticate: Bearer realm="llmproxy"', head)
        _, _, head = await self.answer(get(b"/v1/chat", method=b"DELETE"))
        self.assertIn(b"\r\nAllow: GET, POST, HEAD\r\n", head)

    async def test_allowed(self) -> None:
        """What is allowed passes: charset spellings, globs across a slash, a segment with a star."""
        for number, request in enumerate(
            (
                post(b'{"model":"org/a/b"}', b"Content-Type: Application/JSON; charset=UTF-8", path=b"/v1/chat/x"),
                post(b'{"other":1}', b"Content-Type: application/vnd.x+json", path=b"/v1/chat"),
                get(b"/v1/models/gpt-4o/info"),
            )
        ):
            client = await self.send(request.replace(b"Host:", b"X-Team: a\r\nHost:"))
            wire = await self.upstream.wire(0)
            await wire.until(lambda count=number + 1: wire.received.count(b"HTTP/1.1") == count)  # type: ignore[misc]
            wire.send(OK)
            await client.until_received(b"ok")

    async def test_tokens(self) -> None:
        """Expired, revoked, used up, or of an inactive project: each with its own code."""
        team = b"X-Team: a"
        for changes, expected in (
            ({"expires_at": 1.0}, (401, "token_expired")),
            ({"is_active": False}, (401, "token_inactive")),
        ):
            self.secret = await self.new_token(**changes)
            self.assertEqual(await self.refused(get(b"/v1/chat", team)), expected, changes)

    async def test_quota(self) -> None:
        """C{max_requests} of 3 is three requests, and refusals use up nothing."""
        self.secret = await self.new_token(max_requests=3)
        for _ in range(5):
            await self.answer(get(b"/v1/nowhere", b"X-Team: a"))
        for number in range(3):
            client = await self.send(get(b"/v1/chat/%d" % number, b"X-Team: a"))
            wire = await self.upstream.wire()
            await wire.until_received(b"/v1/chat/%d " % number)
            wire.send(OK)
            await client.until_received(b"ok")
        status, body, head = await self.answer(get(b"/v1/chat/4", b"X-Team: a"))
        self.assertEqual((status, body["code"]), (429, "rate_limit_exceeded"))
        self.assertIn(b"x-should-retry: false", head)

    async def test_preflight(self) -> None:
        """A browser's preflight is answered for configured origins, and costs neither token nor upstream."""
        client = await self.send(
            b"OPTIONS /v1/chat HTTP/1.1\r\nHost: x\r\nOrigin: https://app.example\r\n"
            b"Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n\r\n"
        )
        await client.until_received(b"\r\n\r\n")
        self.assertTrue(client.received.startswith(b"HTTP/1.1 204 "))
        for line in (
            b"Access-Control-Allow-Origin: https://app.example",
            b"Access-Control-Allow-Methods: GET, POST, HEAD",
            b"Access-Control-Allow-Headers: authorization",
            b"Access-Control-Max-Age: 86400",
        ):
            self.assertIn(b"\r\n" + line + b"\r\n", client.received)
        status, _, head = await self.answer(
            b"OPTIONS /v1/chat HTTP/1.1\r\nHost: x\r\nOrigin: https://evil.example\r\n"
            b"Access-Control-Request-Method: POST\r\n\r\n"
        )
        self.assertEqual(status, 403)
        self.assertNotIn(b"Access-Control-Allow-Origin", head)

    async def test_cors_on_errors(self) -> None:
        """A page of an allowed origin may read why it was refused."""
        _, _, head = await self.answer(get(b"/v1/none", b"Origin: https://app.example", b"X-Team: a"))
        self.assertIn(b"\r\nAccess-Control-Allow-Origin: https://app.example\r\n", head)
        self.assertIn(b"\r\nVary: Origin\r\n", head)

    async def test_no_secret_is_told(self) -> None:
        """Tokens and keys, right and wrong ones, stand in no log line, error or metric."""
        canary = b"AIza-somebody-elses-key-canary"
        heads = []
        for request in (
            get(b"/v1/chat", b"X-Team: a").replace(b"TOKEN", canary),
            get(b"/v1/chat?key=" + canary, b"X-Team: a").replace(b"Authorization: Bearer TOKEN\r\n", b""),
            post(b'{"model":"x"}', JSON, b"X-Team: a", path=b"/v1/chat"),
            get(b"/manage/projects").replace(b"TOKEN", canary),
        ):
            status, body, head = await self.answer(request)
            self.assertGreaterEqual(status, 400, request)
            heads.append(head + json.dumps(body).encode())
        client = await self.send(get(b"/v1/chat?q=query-canary", b"X-Team: a"))
        wire = await self.upstream.wire()
        await wire.until_received(b"\r\n\r\n")
        wire.close()
        await client.until_received(b"}\n")
        metrics = await self.send(get(b"/metrics"))
        await metrics.until_received(b"llmproxy_in_flight")
        await deferLater(reactor, 0.1)
        with open(self.access_log, "rb") as log:
            told = log.read() + b"".join(heads) + client.received + metrics.received
        self.assertIn(b"/v1/chat", told)
        secrets = (canary, self.secret.encode(), UPSTREAM_KEY.encode(), MANAGEMENT_TOKEN.encode(), b"query-canary")
        for secret in secrets:
            self.assertNotIn(secret, told)


class OperationsTests(ProxyTestCase):
    async def test_paths(self) -> None:
        """Operations are served beside the proxy, on our own requests."""
        for path, expected in (
            (b"/health", b'"status":"ok"'),
            (b"/live", b"alive\n"),
            (b"/ready", b"ready\n"),
            (b"/metrics", b"llm_proxy_requests_total"),
            (b"/metrics/prometheus", b"llm_proxy_requests_total"),
        ):
            client = await self.send(get(path))
            await client.until_received(expected)
            self.assertTrue(client.received.startswith(b"HTTP/1.1 200 "), path)

    async def test_management(self) -> None:
        """A project and its token, made over the API, work at once; revoked, they stop at once."""
        management = b"Authorization: Bearer " + MANAGEMENT_TOKEN.encode()

        async def call(method: bytes, path: bytes, body: bytes = b"") -> Any:
            client = await self.client()
            head = b"%b %b HTTP/1.1\r\nHost: x\r\n%b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            client.send(head % (method, path, management, len(body)) + body)
            await client.until(lambda: client.received.endswith((b"}\n", b"}", b"\r\n\r\n")))
            return json.loads(client.received.partition(b"\r\n\r\n")[2] or b"null")

        project = await call(b"POST", b"/manage/projects", b'{"name":"p","api_key":"sk-the-key-0123456789"}')
        self.assertNotIn("sk-the-key-0123456789", json.dumps(project))
        body = json.dumps({"project_id": project["id"], "duration_minutes": 5}).encode()
        token = await call(b"POST", b"/manage/tokens", body)
        self.secret = token["token"]
        client = await self.send(get())
        wire = await self.upstream.wire()
        await wire.until_received(b"Authorization: Bearer sk-the-key-0123456789")
        wire.send(OK)
        await client.until_received(b"ok")
        await call(b"DELETE", b"/manage/tokens/" + token["id"].encode())
        client = await self.send(get())
        await client.until_received(b'"code":"token_inactive"')

    async def test_revoked_while_it_waits(self) -> None:
        """A request that upstream has not answered yet ends before the revocation is acknowledged."""
        client = await self.send(get())
        wire = await self.upstream.wire()
        await wire.until_received(b"\r\n\r\n")
        [token] = await self.service.proxy.database.tokens.list()
        management = b"Authorization: Bearer " + MANAGEMENT_TOKEN.encode()
        revoking = await self.send(
            b"DELETE /manage/tokens/%b HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n" % (token.id.encode(), management)
        )
        await revoking.until_received(b"HTTP/1.1 204 ")
        await client.until_received(b"token_inactive")
        self.assertTrue(client.received.startswith(b"HTTP/1.1 401 "))
        await wire.until_closed()
        await deferLater(reactor, 0.01)
        self.assertEqual([record.ended for record in self.records], ["revoked"])
