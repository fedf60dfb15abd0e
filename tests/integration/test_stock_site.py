"""What upstream answers, and what it must not, to clients of a proxy that somebody embedded below a stock site."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred
from twisted.web.server import Site

from .test_vectors import VectorTestCase
from .vectors import response_framing, responses


class StockSiteTests(VectorTestCase):
    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        site: Any = Site(self.service.proxy.resource())
        self._stock = reactor.listenTCP(0, site, interface="127.0.0.1")  # type: ignore[attr-defined]
        self.port = self._stock.getHost().port

    async def tearDown(self) -> None:  # type: ignore[override]
        await super().tearDown()
        await maybeDeferred(self._stock.stopListening)

    async def test_responses(self) -> None:
        """Status lines, fields, interim responses, and messages without content."""
        await self.hold(responses.VECTORS)

    async def test_framing(self) -> None:
        """Where a response ends, and what becomes of its connection."""
        await self.hold(response_framing.VECTORS)
