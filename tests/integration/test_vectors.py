"""Raw messages through the whole proxy, over real sockets; the tables are in tests/integration/vectors."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config import APIProviderConfig
from llmproxy.config.model import CacheConfig

from .conversation import Conversation, Scripted
from .harness import ProxyTestCase
from .vectors import (
    Vector,
    connections,
    early,
    expectations,
    fields,
    framing,
    limits,
    request_line,
    response_framing,
    responses,
    upgrades,
)

TABLES = (
    request_line,
    fields,
    framing,
    connections,
    expectations,
    responses,
    response_framing,
    early,
    limits,
    upgrades,
)


class VectorTestCase(ProxyTestCase):
    """Holds conversations: each on a connection of its own, and with none of upstream's that is kept."""

    timeout = 120
    upstream: Scripted

    def api(self, base_url: str) -> APIProviderConfig:
        # What is on the wire is the matter here, not what is kept.
        return evolve(super().api(base_url), cache=CacheConfig(enabled=False))

    def make_upstream(self) -> Scripted:
        return Scripted()

    async def hold(self, vectors: Sequence[Vector]) -> None:
        """Hold all conversations of a table; fails with all that went wrong."""
        found = []
        for vector in vectors:
            await self.fresh()
            client = await self.client()
            conversation = Conversation(vector, client, self.upstream, self.secret, self.base_url[7:])
            problems = await conversation.problems()
            found += [f"{vector.name} ({vector.section}): {problem}" for problem in problems]
            client.close()
        self.assertEqual(found, [], "\n".join(["", *found]))

    async def fresh(self) -> None:
        """No connection is kept, and no failure of a vector before counts against this one's key."""
        self.secret = await self.new_token()
        pool = self.service.proxy.generations.current.clients["api"].pool
        for wire in self.upstream.wires:
            wire.close()
        self.upstream.wires.clear()
        while pool.connections:
            await deferLater(reactor, 0)


class VectorTests(VectorTestCase):
    """One proxy for each table."""

    async def test_request_line(self) -> None:
        """Request lines and targets."""
        await self.hold(request_line.VECTORS)

    async def test_fields(self) -> None:
        """Header sections and C{Host}."""
        await self.hold(fields.VECTORS)

    async def test_framing(self) -> None:
        """Lengths, codings and chunks of requests."""
        await self.hold(framing.VECTORS)

    async def test_connections(self) -> None:
        """Pipelining, persistence, HTTP/1.0."""
        await self.hold(connections.VECTORS)

    async def test_expectations(self) -> None:
        """C{Expect}, and bodies that nobody wants."""
        await self.hold(expectations.VECTORS)

    async def test_responses(self) -> None:
        """What upstream may answer, and what it must not."""
        await self.hold(responses.VECTORS)

    async def test_response_framing(self) -> None:
        """Where a response ends, and what becomes of its connection."""
        await self.hold(response_framing.VECTORS)

    async def test_upgrades(self) -> None:
        """Other protocols, with the bytes that follow."""
        await self.hold(upgrades.VECTORS)

    async def test_early(self) -> None:
        """Answers that come before the request is whole."""
        await self.hold(early.VECTORS)


class TableTests(SynchronousTestCase):
    def test_names(self) -> None:
        """Each vector has a name of its own in its table, and a rule."""
        for table in TABLES:
            names = [vector.name for vector in table.VECTORS]
            self.assertEqual(sorted(names), sorted(set(names)), table)
            self.assertTrue(all(vector.section[:4].isdigit() for vector in table.VECTORS), table)

    def test_count(self) -> None:
        """None has got lost."""
        self.assertGreaterEqual(sum(len(table.VECTORS) for table in TABLES), 400)
