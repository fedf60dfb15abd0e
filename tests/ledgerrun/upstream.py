"""An upstream that notes what it was asked and what it has answered whole; plain answers, chunks and streams."""

from __future__ import annotations

import asyncio
import json
import random

from attrs import Factory, define


@define
class Asked:
    """
    One request as upstream saw it.

    @ivar input: tokens; no two requests of a run are likely to have the same.
    @ivar finished: all of the answer was written.
    """

    input: int
    output: int
    finished: bool = False


@define
class Upstream:
    """
    @param seed: of the answers.
    @ivar asked: by the id of the request.
    @ivar repeated: ids that came more than once, as the proxy sent a request again on another connection.
    """

    seed: int
    asked: dict[str, Asked] = Factory(dict)
    repeated: int = 0
    port: int = 0
    _server: asyncio.AbstractServer | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await self._exchange(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        await reader.readexactly(int(fields.get("content-length", 0)))
        name = fields["x-request-id"]
        self.repeated += name in self.asked
        draw = random.Random(f"{self.seed} {name}")
        asked = self.asked[name] = Asked(draw.randrange(1, 100_000), draw.randrange(1, 10_000))
        await self._answer(writer, asked, draw)
        asked.finished = True

    async def _answer(self, writer: asyncio.StreamWriter, asked: Asked, draw: random.Random) -> None:
        usage = {"prompt_tokens": asked.input, "completion_tokens": asked.output}
        kind = draw.choice(("length", "pieces", "chunks", "stream"))
        content = json.dumps({"model": "m-1", "choices": [], "usage": usage}).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        if kind == "length":
            writer.write(head + b"Content-Length: %d\r\n\r\n" % len(content) + content)
        elif kind == "pieces":
            writer.write(head + b"Content-Length: %d\r\n\r\n" % len(content) + content[:20])
            await self._pause(writer, draw)
            writer.write(content[20:])
        elif kind == "chunks":
            writer.write(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(content[:9]))
            await self._pause(writer, draw)
            writer.write(chunk(content[9:]) + b"0\r\n\r\n")
        else:
            await self._stream(writer, draw, content)
        await writer.drain()

    async def _stream(self, writer: asyncio.StreamWriter, draw: random.Random, last: bytes) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(draw.randrange(1, 6)):
            writer.write(chunk(b'data: {"model":"m-1","choices":[{"delta":{"content":"x"}}]}\n\n'))
            await self._pause(writer, draw)
        writer.write(chunk(b"data: " + last + b"\n\n") + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")

    @staticmethod
    async def _pause(writer: asyncio.StreamWriter, draw: random.Random) -> None:
        await writer.drain()
        await asyncio.sleep(draw.random() * 0.01)


def chunk(data: bytes) -> bytes:
    """One of a body that is sent in chunks."""
    return b"%x\r\n%b\r\n" % (len(data), data)
