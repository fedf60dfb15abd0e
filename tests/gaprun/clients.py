"""The clients of the run: nothing is tried again, and every answer that is not whole is a failure."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter

from attrs import define, field

PATIENCE = 120.0
"""Seconds, beyond which a request has failed."""


@define
class Options:
    """
    @ivar events: of a stream; each takes a tenth of a second.
    @ivar pause_ms: between two requests of a client.
    @ivar clients: that ask at once, half of them on kept connections.
    """

    requests: int = 100_000
    streams: int = 200
    events: int = 50
    reloads: int = 10
    certificates: int = 3
    upgrades: int = 2
    workers: int = 2
    clients: int = 16
    pause_ms: int = 0


@define
class Tally:
    """
    @ivar failures: by what went wrong.
    """

    requests: int = 0
    streams: int = 0
    failures: Counter[str] = field(factory=Counter)

    @property
    def failed(self) -> int:
        return sum(self.failures.values())


class Client:
    """
    One connection at a time, as an SDK's pool has it: kept until the server says that it closes.

    @param keeps: C{False} opens another one for each request.
    """

    def __init__(self, port: int, context: ssl.SSLContext, token: str, tally: Tally, keeps: bool = True) -> None:
        self._port = port
        self._context = context
        self._token = token
        self._tally = tally
        self._keeps = keeps
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, path: str) -> None:
        """One request, which succeeds or is counted as failed."""
        try:
            await asyncio.wait_for(self._ask(path), PATIENCE)
        except Exception as error:
            self._tally.failures[f"{path.split('/')[2]}: {type(error).__name__} {error}"[:120]] += 1
            await self.close()

    async def _ask(self, path: str) -> None:
        if self._open is None:
            self._open = await asyncio.open_connection(
                "127.0.0.1", self._port, ssl=self._context, server_hostname="localhost"
            )
        reader, writer = self._open
        close = "" if self._keeps else "Connection: close\r\n"
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self._token}\r\n{close}\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if "content-length" in fields:
            await reader.readexactly(int(fields["content-length"]))
        else:
            while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
                await reader.readexactly(size + 2)
            await reader.readuntil(b"\r\n")
        if " 200 " not in status + " ":
            raise ValueError(status)
        if fields.get("connection", "").lower() == "close" or not self._keeps:
            await self.close()

    async def close(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None


async def requests(client: Client, tally: Tally, options: Options, stop: asyncio.Event) -> None:
    """Ask one after the other, until there were so many of all, and all that is to happen has happened."""
    while tally.requests < options.requests or not stop.is_set():
        tally.requests += 1
        await client.ask("/v1/short")
        if options.pause_ms:
            await asyncio.sleep(options.pause_ms / 1000)
    await client.close()


async def streams(client: Client, tally: Tally, options: Options, stop: asyncio.Event) -> None:
    """Likewise for streams."""
    while tally.streams < options.streams or not stop.is_set():
        tally.streams += 1
        await client.ask(f"/v1/stream/{options.events}")
    await client.close()
