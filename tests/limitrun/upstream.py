"""An upstream that bills: tokens within what a request can cost at most."""

from __future__ import annotations

import asyncio
import random

from attrs import define, field

from ..ledgerrun.upstream import Asked, Upstream

MOST_INPUT = 20
"""Tokens; fewer than a request has bytes, which are what is reserved for it."""

MAX_TOKENS = 1000
"""C{max_tokens} of all requests."""

INPUT_PRICE, OUTPUT_PRICE = 10, 30
"""USD for a million tokens, as the proxy's configuration has them."""

MOST_COST = MAX_TOKENS * OUTPUT_PRICE / 1e6
"""USD of one exchange, about."""


@define
class Billing(Upstream):
    """
    @ivar open: what answers wait for; an event that is set lets all through.
    @ivar running: requests that have no answer yet.
    """

    open: asyncio.Event = field(factory=asyncio.Event)
    running: int = 0

    @property
    def billed(self) -> float:
        """USD of all requests that came, whatever became of their answers."""
        return sum(each.input * INPUT_PRICE + each.output * OUTPUT_PRICE for each in self.asked.values()) / 1e6

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        await reader.readexactly(int(fields.get("content-length", 0)))
        name = fields["x-request-id"]
        draw = random.Random(f"{self.seed} {name}")
        self.asked[name] = Asked(draw.randint(1, MOST_INPUT), draw.randint(1, MAX_TOKENS))
        self.running += 1
        try:
            await self.open.wait()
            await self._answer(writer, self.asked[name], draw)
        finally:
            self.running -= 1
        self.asked[name].finished = True
