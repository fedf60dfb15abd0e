"""The same conversations over TLS, where a connection cannot be closed by halves."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet import reactor
from twisted.internet.endpoints import SSL4ClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates

from .certificates import Authority
from .harness import Wire
from .test_vectors import VectorTestCase
from .vectors import HalfClose, Vector, connections, early, expectations, framing, response_framing, steps, upgrades


def whole_only(vectors: Sequence[Vector]) -> list[Vector]:
    """Those whose clients do not close by halves."""
    return [vector for vector in vectors if not any(isinstance(step, HalfClose) for step in steps(vector.sends))]


class TlsVectorTests(VectorTestCase):
    def listen(self) -> str:
        authority = Authority(self.mktemp())
        certificate, key = authority.issue("localhost")
        with open(authority.ca_file, "rb") as file:
            trust = trustRootFromCertificates([Certificate.loadPEM(file.read())])
        self.options = optionsForClientTLS("localhost", trust, acceptableProtocols=[b"http/1.1"])
        return f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}"

    async def client(self) -> Wire:
        wire = Wire()
        endpoint = SSL4ClientEndpoint(reactor, "127.0.0.1", self.port, self.options)
        await endpoint.connect(Factory.forProtocol(lambda: wire))
        self._wires.append(wire)
        return wire

    async def test_requests(self) -> None:
        """Framing, pipelining, persistence, C{Expect}, and early answers."""
        tables = (framing, connections, expectations, early)
        await self.hold([vector for table in tables for vector in whole_only(table.VECTORS)])

    async def test_responses(self) -> None:
        """Where a response ends, and another protocol on the same connection."""
        await self.hold([vector for table in (response_framing, upgrades) for vector in whole_only(table.VECTORS)])
