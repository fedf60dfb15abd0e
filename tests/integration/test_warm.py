"""What a request costs that hits warm state."""

from __future__ import annotations

from .harness import ProxyTestCase, get

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class WarmTests(ProxyTestCase):
    async def exchange(self, number: int) -> None:
        client = await self.send(get(b"/v1/%d" % number, b"Connection: close"))
        upstream = await self.upstream.wire()
        wanted = b"/v1/%d " % number
        await upstream.until_received(wanted)
        upstream.send(OK)
        await client.until_received(b"\r\n\r\nok")

    async def count(self) -> int:
        """The statements of 20 requests, after one."""
        await self.exchange(0)
        before = self.service.proxy.database.statements
        for number in range(1, 21):
            await self.exchange(number)
        return self.service.proxy.database.statements - before

    async def test_no_limit(self) -> None:
        """A token that is known is passed on without a word to the database."""
        self.assertEqual(await self.count(), 0)

    async def test_limit(self) -> None:
        """One with a limit too, while its lease lasts."""
        self.secret = await self.new_token(max_requests=10_000)
        self.assertEqual(await self.count(), 0)
