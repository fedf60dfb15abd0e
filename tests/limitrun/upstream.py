"""An upstream that bills: tokens within what a request can cost at most."""

from __future__ import annotations

import asyncio
import json
import random

from attrs import define, field

from ..ledgerrun.upstream import Asked, Upstream, chunk

MOST_INPUT = 20
"""Tokens; fewer than a request has bytes, which are what is reserved for it."""

MAX_TOKENS = 1000
"""C{max_tokens} of all requests."""

INPUT_PRICE, OUTPUT_PRICE = 10, 30
"""USD for a million tokens, as the proxy's configuration has them."""

MOST_COST = MAX_TOKENS * OUTPUT_PRICE / 1e6
"""USD of one exchange, about."""


LONGEST = 20_000
"""Tokens of a stream whose request does not say how many it may have."""

PIECE = 100
"""Tokens that such a stream writes at once."""

WORD = "word "
"""A token, as prices have it: more bytes than the proxy takes for one."""

PIECE_COST = PIECE * OUTPUT_PRICE / 1e6


@define
class Billing(Upstream):
    """
    Bills what it has written of a stream, and all of an answer that comes at once.

    @ivar bounded: requests say how many tokens an answer may have; else all answers are streams of any length.
    @ivar cut: streams that ended early.
    @ivar open: what answers wait for; an event that is set lets all through.
    @ivar running: requests that have no answer yet.
    """

    open: asyncio.Event = field(factory=asyncio.Event)
    running: int = 0
    bounded: bool = True
    cut: int = 0

    @property
    def billed(self) -> float:
        """USD of all requests that came, whatever became of their answers."""
        return self.billed_for("")

    def billed_for(self, names: str) -> float:
        """USD of those requests whose ids begin so."""
        found = [each for name, each in self.asked.items() if name.startswith(names)]
        return sum(each.input * INPUT_PRICE + each.output * OUTPUT_PRICE for each in found) / 1e6

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        await reader.readexactly(int(fields.get("content-length", 0)))
        name = fields["x-request-id"]
        draw = random.Random(f"{self.seed} {name}")
        output = draw.randint(1, MAX_TOKENS) if self.bounded else 0
        self.asked[name] = Asked(draw.randint(1, MOST_INPUT), output)
        self.running += 1
        try:
            await self.open.wait()
            if self.bounded:
                await self._answer(writer, self.asked[name], draw)
            else:
                await self._write_on(reader, writer, self.asked[name], draw)
        finally:
            self.running -= 1
        self.asked[name].finished = True

    async def _write_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: Asked, draw: random.Random
    ) -> None:
        """A stream of any length, which bills what it has written until its client leaves."""
        length = draw.randint(1, LONGEST)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head)
        while asked.output < length:
            if reader.at_eof() or writer.is_closing():
                self.cut += 1
                raise ConnectionError("the client has left")
            count = min(PIECE, length - asked.output)
            piece = {"model": "m-1", "choices": [{"delta": {"content": WORD * count}}]}
            asked.output += count
            writer.write(chunk(f"data: {json.dumps(piece)}\n\n".encode()))
            await self._pause(writer, draw)
        usage = {"prompt_tokens": asked.input, "completion_tokens": asked.output}
        last = json.dumps({"model": "m-1", "choices": [], "usage": usage}).encode()
        writer.write(chunk(b"data: " + last + b"\n\n") + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
        await writer.drain()
