"""C{/usage}: what a token may know about itself."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.web.server import Site

from llmproxy.bodies import BytesBody
from llmproxy.core.policy import Policy
from llmproxy.core.reports import SUMS, UsageQuestion
from llmproxy.core.routing import RoutingTable
from llmproxy.core.tokens import token_hash
from llmproxy.errors import Unavailable
from llmproxy.management.usage import UsageRules
from llmproxy.message import Api, ApiRequest, ApiResponse
from llmproxy.middleware.authenticate import Authenticate
from llmproxy.origin import CredentialPlace, Origin, Timeouts, Upstream
from llmproxy.usagelimits import UsageLimits
from llmproxy.web.api.resource import ProxyResource
from llmproxy.web.root import Root
from llmproxy.web.usage import AT_ONCE, MOST_WAITING, WRITTEN_EVERY, TokenUsage

from ..management.world import RulesTestCase
from ..store.databases import NOW, token
from ..tables import row
from ..usagereports import DAY, MemoryReports, an_entry
from .http2wire import Http2Client
from .manage.api import Notes
from .wire import Client

SECRET = "sk-" + "a" * 22
OTHER = "sk-" + "b" * 22
BEARER = f"Authorization: Bearer {SECRET}"


def an_api(name: str, place: CredentialPlace, *endpoints: str) -> Api:
    return Api(
        name,
        (Upstream(Origin("https", "api.example", 443, b"api.example"), credential=place),),
        "proxy",
        Timeouts(),
        Policy.compile(allowed_methods=[], allowed_endpoints=endpoints),
    )


class UsageTestCase(RulesTestCase):
    """A token C{t1} of project C{p1}, which is good for ten requests and has made three."""

    def setUp(self) -> None:
        super().setUp()
        self.reports = MemoryReports(
            [
                an_entry(1, NOW, project_id="p1", token_id="t1"),
                an_entry(2, NOW - DAY, project_id="p1", token_id="t1", model="o3", cost="1"),
                an_entry(3, NOW, project_id="p1", token_id="t2", cost="1000"),
            ]
        )
        self.notes = Notes()
        self.draining = False
        self.add("t1", SECRET, max_requests=10, request_count=3, cache_hit_count=1, expires_at=NOW + DAY, name="ci")
        self.table = RoutingTable(
            [
                an_api("openai", CredentialPlace("header", b"Authorization", b"Bearer ")),
                an_api("azure", CredentialPlace("header", b"Ocp-Key", b"")),
                an_api("maps", CredentialPlace("query", b"Access", b"")),
            ],
            "openai",
        )
        self.resource = self.made()

    def add(self, token_id: str, secret: str, **values: Any) -> None:
        made = token(token_id, token_hash=token_hash(secret.encode()), **values)
        self.successResultOf(self.database.tokens.create(made))

    def made(self) -> TokenUsage:
        rules = UsageRules(self.clock.seconds, self.database.projects, self.database.tokens, self.reports)
        authenticate = Authenticate(self.clock, self.directory)
        return TokenUsage(authenticate, lambda: self.table, self.state, rules, self.notes, lambda: self.draining)

    def root(self) -> Root:
        def respond(request: ApiRequest) -> Deferred[ApiResponse]:
            return succeed(ApiResponse(200, b"OK", [], BytesBody(b"proxied")))

        root = Root(ProxyResource(self.clock.seconds, respond), claims=lambda path: self.table.claimant(path))
        root.put_path("usage", self.resource)
        return root

    def ask(self, target: str = "/usage", *fields: str, method: str = "GET") -> tuple[int, Any]:
        """Status and content over HTTP/1."""
        client = Client(self.root())
        lines = [f"{method} {target} HTTP/1.1", "Host: a", *fields, "", ""]
        client.send("\r\n".join(lines).encode())
        client.wait(1)
        self.head, _, content = client.received.partition(b"\r\n\r\n")
        return client.status, json.loads(content) if content.startswith(b"{") else content


class AnswerTests(UsageTestCase):
    def test_own(self) -> None:
        """A token sees what it has used, what is left, how long it is good, and what it has cost: nobody else's."""
        status, said = self.ask("/usage", BEARER)
        self.assertEqual(status, 200, said)
        self.assertEqual(
            {name: said[name] for name in said if name not in ("data", "totals")},
            {
                "token_id": "t1",
                "token_name": "ci",
                "expires_at": "2023-11-15T22:13:20.250000Z",
                "last_used_at": None,
                "request_count": 3,
                "cache_hit_count": 1,
                "max_requests": 10,
                "remaining_requests": 7,
                "limits": [],
                "resets_at": None,
                "from": None,
                "to": None,
                "tz": "UTC",
                "more": 0,
            },
        )
        self.assertEqual((set(said["totals"]), said["totals"]["cost"]), (set(SUMS), "1.01"))
        self.assertIn(b"Cache-Control: no-store", self.head)

    def test_limits(self) -> None:
        """What is left of its limits, and when its budget begins anew; where nobody knows that, which there are."""
        daily = UsageLimits(max_budget=Decimal(10), budget_duration="1d", rpm_limit=5)
        for limits, names, resets_at in (
            (daily, {"rpm_limit", "max_budget"}, "2023-11-15T00:00:00Z"),
            (UsageLimits(rpm_limit=5), {"rpm_limit"}, None),
            (UsageLimits(max_budget=Decimal(10), budget_duration="total"), {"max_budget"}, None),
        ):
            with row(limits):
                other = "sk-" + (limits.budget_duration or "m")[:1] * 22
                self.add(f"t{other}", other, limits=limits)
                status, said = self.ask("/usage", f"Authorization: Bearer {other}")
                self.assertEqual((status, said["resets_at"]), (200, resets_at), said)
                self.assertEqual({each["limit"] for each in said["limits"]}, names, said)
                self.assertEqual({each["left"] for each in said["limits"]}, {None})

    def test_groups(self) -> None:
        """It may ask as management asks, but for the filters that would be of others."""
        _, said = self.ask("/usage?group_by=day,model&from=1h&forecast=true", BEARER)
        self.assertEqual([(each["model"], each["cost"]) for each in said["data"]], [("gpt-4o", "0.01")])
        self.assertEqual(said["forecast"]["so_far"], "1.01")
        for query in ("token_id=t2", "project_id=p1", "group_by=modle", "top=0"):
            with row(self, query):
                self.assertEqual(self.ask(f"/usage?{query}", BEARER)[0], 400)

    def test_costs_nothing(self) -> None:
        """Asking uses up nothing: the count stays, however often."""
        counts = [self.ask("/usage", BEARER)[1]["request_count"] for _ in range(5)]
        self.assertEqual(counts, [3] * 5)

    def test_used_up(self) -> None:
        """A token that is used up is answered; what a dead process had leased is not left either."""
        self.add("t3", OTHER, max_requests=5, request_count=5)
        _, said = self.ask("/usage", f"Authorization: Bearer {OTHER}")
        self.assertEqual((said["request_count"], said["remaining_requests"], said["data"]), (5, 0, []))

    def test_unlimited(self) -> None:
        """A token without a limit and an end says so."""
        self.add("t3", OTHER, max_requests=None, expires_at=None)
        _, said = self.ask("/usage", f"Authorization: Bearer {OTHER}")
        self.assertEqual([said[each] for each in ("max_requests", "remaining_requests", "expires_at")], [None] * 3)

    def test_fresh(self) -> None:
        """Counts in memory are written down first, but not at every question."""
        for _ in range(3):
            self.ask("/usage", BEARER)
        self.assertEqual(self.counts.asked, ["flush"])
        self.clock.advance(2 * WRITTEN_EVERY)
        self.ask("/usage", BEARER)
        self.assertEqual(self.counts.asked, ["flush"] * 2)

    def test_in_turn(self) -> None:
        """However many ask at once, few reports are made at a time, and too many are asked to come again."""
        running: list[Deferred[Any]] = []
        grouped = self.reports.grouped

        def wait(question: UsageQuestion) -> Deferred[Any]:
            running.append(Deferred())
            return running[-1].addCallback(lambda _: grouped(question))

        self.reports.grouped = wait  # type: ignore[method-assign]
        root = self.root()
        clients = [Client(root) for _ in range(AT_ONCE + MOST_WAITING + 1)]
        for client in clients:
            client.send(f"GET /usage HTTP/1.1\r\nHost: a\r\n{BEARER}\r\n\r\n".encode())
        self.assertEqual(len(running), AT_ONCE)
        self.assertEqual([client.status for client in clients if client.status], [503])
        for waiting in running:
            waiting.callback(None)
        self.assertEqual({client.status for client in clients}, {200, 503})
        self.assertEqual(len(running), AT_ONCE + MOST_WAITING)

    def test_only_own(self) -> None:
        """A token sees its own usage whatever its id looks like."""
        self.add("t2,t1", OTHER)
        _, said = self.ask("/usage", f"Authorization: Bearer {OTHER}")
        self.assertEqual((said["token_id"], said["totals"]["requests"]), ("t2,t1", 0))

    def test_not_kept(self) -> None:
        """Where no usage is kept, the counts of the token are the answer."""
        rules = UsageRules(self.clock.seconds, self.database.projects, self.database.tokens, None)
        self.resource = TokenUsage(Authenticate(self.clock, self.directory), lambda: self.table, self.state, rules)
        _, said = self.ask("/usage", BEARER)
        self.assertEqual((said["remaining_requests"], "totals" in said), (7, False))

    def test_methods(self) -> None:
        """HEAD and OPTIONS are answered, nothing else is."""
        for method, status in (("HEAD", 200), ("OPTIONS", 204), ("POST", 405), ("DELETE", 405)):
            with row(self, method):
                self.assertEqual(self.ask("/usage", BEARER, method=method)[0], status)


class CallerTests(UsageTestCase):
    def test_places(self) -> None:
        """The token may stand wherever one may stand, of any API; it is no parameter that is not known."""
        for target, field in (
            ("/usage", BEARER),
            ("/usage", f"authorization: bearer {SECRET}"),
            ("/usage", f"x-api-key: {SECRET}"),
            ("/usage", f"api-key: {SECRET}"),
            ("/usage", f"x-goog-api-key: {SECRET}"),
            ("/usage", f"Ocp-Key: {SECRET}"),
            (f"/usage?key={SECRET}", "X: y"),
            (f"/usage?%6Bey={SECRET}&group_by=model", "X: y"),
            (f"/usage?group_by=model&access={SECRET}", "X: y"),
            (f"/usage?access={quote('sk-ant-else')}", BEARER),
        ):
            with row(self, target, field):
                self.assertEqual(self.ask(target, field)[0], 200)

    def test_refused(self) -> None:
        """Who may not ask an API may not ask this, with the same statuses and codes, and it is noted."""
        self.add("t3", OTHER, expires_at=NOW - 1)
        self.add("t4", "sk-" + "c" * 22, is_active=False)
        for field, status, code in (
            ("X: y", 401, "invalid_token"),
            ("Authorization: Bearer x", 401, "invalid_token"),
            (f"Authorization: Bearer sk-{'z' * 22}", 401, "token_not_found"),
            (f"Authorization: Bearer {OTHER}", 401, "token_expired"),
            (f"Authorization: Bearer sk-{'c' * 22}", 401, "token_inactive"),
            (f"{BEARER}\r\nx-api-key: {OTHER}", 401, "ambiguous_credentials"),
        ):
            with row(self, field):
                found, said = self.ask("/usage", field)
                self.assertEqual((found, said["code"]), (status, code))
                self.assertIn(b"WWW-Authenticate", self.head)
                action, actor, outcome, details = self.notes.events[-1]
                self.assertEqual((action, actor, outcome), ("token.validate", "anonymous", "denied"))
                self.assertEqual((details["reason"], details["endpoint"]), (code, "/usage"))
                self.assertNotIn("sk-", str(details))

    def test_inactive_project(self) -> None:
        """Tokens of a project that is not active are refused."""
        made = token("t3", "p2", token_hash=token_hash(OTHER.encode()))
        self.successResultOf(self.database.tokens.create(made))
        self.assertEqual(self.ask("/usage", f"Authorization: Bearer {OTHER}")[0], 403)
        self.assertEqual(self.notes.events[-1][:3], ("proxy_request", "system", "denied"))

    def test_unavailable(self) -> None:
        """While the proxy drains or the database is away, the answer is to come again."""
        self.draining = True
        self.assertEqual(self.ask("/usage", BEARER)[0], 503)
        self.assertEqual(self.notes.events, [])
        self.draining = False
        self.reports.broken = [Unavailable("away")]
        self.assertEqual(self.ask("/usage", BEARER)[0], 503)
        self.directory.load = lambda secret: fail(Unavailable("away"))  # type: ignore[method-assign]
        self.assertEqual(self.ask("/usage", f"Authorization: Bearer {OTHER}")[0], 503)
        self.assertEqual(self.notes.events[-1][:3], ("proxy_request", "system", "error"))


class PlaceTests(UsageTestCase):
    def test_http2(self) -> None:
        """The same over HTTP/2."""
        client = Http2Client(self.root())
        stream = client.get("/usage", ("authorization", f"Bearer {SECRET}"))
        client.run()
        self.assertEqual((client.status(stream), json.loads(client.contents[stream])["token_id"]), (200, "t1"))

    def test_stock_site(self) -> None:
        """The same under a stock site of twisted.web."""
        channel = Site(self.root(), reactor=Clock()).buildProtocol(None)
        transport = StringTransport()
        channel.makeConnection(transport)
        channel.dataReceived(f"GET /usage HTTP/1.1\r\nHost: a\r\n{BEARER}\r\n\r\n".encode())
        head, _, content = transport.value().partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 200"), head)
        self.assertEqual(json.loads(content)["token_id"], "t1")

    def test_gives_way(self) -> None:
        """An API or an endpoint of the default one that is called so has the path."""
        place = CredentialPlace("header", b"Authorization", b"Bearer ")
        for apis in ([an_api("usage", place)], [an_api("openai", place, "/v1", "/usage")]):
            self.table = RoutingTable(apis, apis[0].name)
            with row(self, self.table.listed()):
                self.assertIn(b"proxied", self.ask("/usage", BEARER)[1])
