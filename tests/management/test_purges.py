"""Tests for L{llmproxy.management.purges}; L{tests.web.manage.test_cache} has them over HTTP."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.routing import RoutingTable
from llmproxy.errors import BadRequest
from llmproxy.management.purges import Extent, PurgeOrder, UnknownAnswers, extent_of
from llmproxy.origin import CredentialPlace

from ..middleware.fakes import an_api
from ..tables import row

ONE, OTHER = an_api("one"), an_api("other")
SEARCHED = an_api("searched", credential=CredentialPlace("query", b"token", b""))
TABLE = RoutingTable([ONE, OTHER, SEARCHED], "one")

EXTENTS: list[tuple[dict[str, Any], Extent]] = [
    ({"url": "/v1/m"}, Extent("exact", ONE.space, b"/v1/m\0", "/v1/m")),
    ({"url": "/v1/m?a=1", "method": "get"}, Extent("exact", ONE.space, b"/v1/m?a=1\0GET", "/v1/m?a=1")),
    ({"url": "/v1/m", "method": "HEAD"}, Extent("exact", ONE.space, b"/v1/m\0GET", "/v1/m")),
    ({"url": "/v1?token=canary&q=1", "api": "searched"}, Extent("exact", SEARCHED.space, b"/v1?q=1\0", "/v1?q=1")),
    ({"url": "/other/v1/m"}, Extent("exact", OTHER.space, b"/v1/m\0", "/v1/m")),
    ({"url": "/v1/m", "api": "other"}, Extent("exact", OTHER.space, b"/v1/m\0", "/v1/m")),
    ({"url": "HTTPS://x:1/v1/m"}, Extent("exact", ONE.space, b"/v1/m\0", "/v1/m")),
    ({"url": "http://x?a=1"}, Extent("exact", ONE.space, b"/?a=1\0", "/?a=1")),
    ({"prefix": "/v1/*"}, Extent("prefix", ONE.space, b"/v1/")),
    ({"prefix": "*", "api": "other"}, Extent("prefix", OTHER.space, b"/")),
    ({"prefix": "/v1", "url": "no address", "project_id": "p"}, Extent("prefix", ONE.space, b"/v1")),
    ({"project_id": "p"}, Extent("project", None)),
    ({"project_id": "p", "api": "other"}, Extent("project", OTHER.space)),
    ({"api": "one"}, Extent("api", ONE.space)),
    ({"all": True}, Extent("all", None)),
]

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "missing_fields"),
    ({"method": "GET"}, "missing_fields"),
    ({"url": "v1/m"}, "invalid_url"),
    ({"url": "ftp://x/v1"}, "invalid_url"),
    ({"url": "http:///v1"}, "invalid_url"),
    ({"url": "/v1#x"}, "invalid_url"),
    ({"url": "/v1\n"}, "invalid_url"),
    ({"prefix": "v1*"}, "invalid_url"),
]


class ExtentTests(SynchronousTestCase):
    def test_meant(self) -> None:
        """What each order means, without the credential that may stand in an address."""
        for order, extent in EXTENTS:
            self.assertEqual(extent_of(PurgeOrder(**order), TABLE), extent, order)

    def test_refused(self) -> None:
        """What means nothing is refused with a reason, for the audit log."""
        for order, reason in REFUSED:
            with row(order):
                error = self.assertRaises(UnknownAnswers, extent_of, PurgeOrder(**order), TABLE)
            self.assertEqual(error.reason, reason, order)
        nowhere = RoutingTable([ONE], None)
        self.assertRaises(UnknownAnswers, extent_of, PurgeOrder(url="/v1/m"), nowhere)

    def test_contradictions(self) -> None:
        """So is what contradicts itself, and an API that is none."""
        for order in ({"all": True, "api": "one"}, {"all": True, "project_id": "p"}, {"api": "none"}):
            with row(order):
                error = self.assertRaises(BadRequest, extent_of, PurgeOrder(**order), TABLE)
            self.assertNotIsInstance(error, UnknownAnswers)

    def test_outcome(self) -> None:
        """An address was there or not; of everything else there were so many."""
        self.assertEqual([Extent("exact", None).outcome(count) for count in (0, 1, 3)], [False, True, True])
        self.assertEqual([Extent("all", None).outcome(count) for count in (0, 3)], [0, 3])

    def test_noted(self) -> None:
        """What is noted of an order holds no query."""
        noted = PurgeOrder(url="/v1?key=canary", prefix="/v1?key=canary", api="one").noted()
        self.assertEqual(noted, {"prefix": "/v1?", "api": "one"})
