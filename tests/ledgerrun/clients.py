"""Clients that ask one thing after the other, and note which answers they had whole."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator

from attrs import Factory, define

BODY = json.dumps({"model": "m-1", "messages": [{"role": "user", "content": "Hello"}], "stream": False}).encode()
STREAMED = BODY.replace(b"false", b"true")
PATIENCE = 20.0
"""Seconds for one exchange, and between two tries to connect while the proxy starts."""


@define
class Seen:
    """
    What all clients saw.

    @ivar whole: ids of requests whose answer of status 200 came whole.
    @ivar sent: ids of all requests that were sent.
    """

    whole: set[str] = Factory(set)
    sent: set[str] = Factory(set)
    statuses: Counter[int] = Factory(Counter)
    broken: int = 0


@define
class Client:
    """
    @param secrets: the tokens that it asks with.
    @param names: gives the ids of requests; it ends when they do.
    """

    port: int
    secrets: list[str]
    names: Iterator[str]
    seen: Seen
    draw: random.Random
    bodies: tuple[bytes, ...] = (BODY, STREAMED)

    async def run(self) -> None:
        for name in self.names:
            await self._connected(name)

    async def _connected(self, name: str) -> None:
        """Ask on a new connection, and go on on it as long as it lasts."""
        reader, writer = await self._connect()
        try:
            await self._ask(reader, writer, name)
            for another in self.names:
                await self._ask(reader, writer, another)
        except (asyncio.IncompleteReadError, asyncio.TimeoutError, ConnectionError, ValueError):
            self.seen.broken += 1
        finally:
            writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        for _ in range(round(PATIENCE / 0.05)):
            try:
                return await asyncio.open_connection("127.0.0.1", self.port)
            except ConnectionError:
                await asyncio.sleep(0.05)
        raise AssertionError("the proxy does not come back")

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str) -> None:
        body = self.draw.choice(self.bodies)
        head = "POST /v1/chat/completions HTTP/1.1\r\nHost: proxy\r\nContent-Type: application/json\r\n"
        head += f"Authorization: Bearer {self.draw.choice(self.secrets)}\r\nX-Request-ID: {name}\r\n"
        head += f"Content-Length: {len(body)}\r\n\r\n"
        self.seen.sent.add(name)
        writer.write(head.encode() + body)
        status = await asyncio.wait_for(self._answer(reader), PATIENCE)
        self.seen.statuses[status] += 1
        if status == 200:
            self.seen.whole.add(name)

    async def _answer(self, reader: asyncio.StreamReader) -> int:
        """The status of an answer that came whole."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        status = int(head.split(" ", 2)[1])
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        if "chunked" not in fields.get("transfer-encoding", ""):
            await reader.readexactly(int(fields.get("content-length", 0)))
            return status
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await reader.readexactly(size + 2)
        await reader.readuntil(b"\r\n")
        return status
