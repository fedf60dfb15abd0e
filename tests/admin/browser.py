"""A browser without pictures: it keeps cookies, sends forms as a page has them, and looks at what came back."""

from __future__ import annotations

from functools import partial
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from treq.testing import StubTreq
from twisted.internet.defer import succeed
from twisted.web.resource import Resource

from llmproxy.admin.address import apis_address
from llmproxy.admin.inprocess import InProcess
from llmproxy.admin.site import AdminPages
from llmproxy.app.tree import live_numbers
from llmproxy.core.routing import RoutingTable
from llmproxy.core.upstreamreports import UpstreamReport
from llmproxy.management.budgets import BudgetRules
from llmproxy.management.state import State
from llmproxy.management.upstreams import UpstreamRules
from llmproxy.sinks.metrics import ProxyMetrics
from llmproxy.web.livefeed import LiveFeed, Source
from llmproxy.web.manage.budgets import BudgetRoutes
from llmproxy.web.manage.upstreams import UpstreamRoutes

from ..middleware.fakes import an_api
from ..web.manage.api import MANAGEMENT_TOKEN
from ..web.manage.usageapi import UsageManageTestCase

ORIGIN = "http://proxy.example"


class Seen(HTMLParser):
    """
    A page.

    @ivar forms: each with its address, its method and its fields.
    @ivar links: addresses, with their words.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = ""
        self.forms: list[dict[str, Any]] = []
        self.links: list[tuple[str, str]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._stack: list[str] = []
        self._select = ""
        self._area = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        if tag == "form":
            action = found.get("action") or ""
            self.forms.append({"action": action, "method": found.get("method", "get"), "fields": {}, "buttons": {}})
        elif tag == "a":
            self.links.append((found.get("href") or "", ""))
        elif self.forms and (name := found.get("name")):
            self._field(tag, name, found)
        elif tag == "option" and self._select and ("selected" in found or self._select not in self.forms[-1]["fields"]):
            self.forms[-1]["fields"][self._select] = found.get("value") or ""

    def _field(self, tag: str, name: str, found: dict[str, str | None]) -> None:
        fields = self.forms[-1]["fields"]
        if tag == "input" and (found.get("type") != "checkbox" or "checked" in found):
            fields[name] = found.get("value") or ""
        elif tag == "select":
            self._select = name
        elif tag == "textarea":
            self._area = name
            fields[name] = ""
        elif tag == "button":
            self.forms[-1]["buttons"][name] = found.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.forms[-1]["fields"][self._area] += data
        words = " ".join(data.split())
        if words:
            self.text += words + "\n"
            if self.links and self.get_starttag_text() and (self.get_starttag_text() or "").startswith("<a"):
                self.links[-1] = (self.links[-1][0], self.links[-1][1] or words)

    def form(self, action: str) -> dict[str, Any]:
        """The form of this address; C{""} is one that goes where the page is."""
        return next(each for each in self.forms if each["action"] == action)


class Shown:
    """An answer of the pages."""

    def __init__(self, response: Any, body: bytes, path: str) -> None:
        self.status = response.code
        self.headers = response.headers
        self.body = body
        self.path = path
        kind = (self.header("content-type") or "").partition(";")[0]
        self.page = Seen(body.decode()) if kind == "text/html" else Seen("")

    def header(self, name: str) -> str | None:
        found: list[str | None] = self.headers.getRawHeaders(name, [None])
        return found[0]

    @property
    def text(self) -> str:
        return self.page.text


class PagesTestCase(UsageManageTestCase):
    """
    @ivar cookies: what the browser holds.
    """

    def setUp(self) -> None:
        super().setUp()
        self.cookies: dict[str, str] = {}
        self.pages = self.make_pages()
        root = Resource()
        root.putChild(b"admin", self.pages)
        self._root = root

    def resource(self, *arguments: Any, **more: Any) -> Any:
        """The management API, with two APIs that projects can have keys for."""
        table = RoutingTable([an_api("openai"), an_api("anthropic")], "openai")
        reports = [UpstreamReport(name, name, f"https://{name}.example") for name in ("openai", "anthropic")]
        self.metrics = ProxyMetrics()
        self.metrics.upstreams = lambda: reports
        rules = UpstreamRules(lambda: succeed(self.metrics), lambda *_: succeed(None), lambda: table)
        budgets = BudgetRoutes(BudgetRules(self.state(), self.reports)).routes()
        routes = [UpstreamRoutes(rules).routes(), budgets, *self.more_routes(), *more.pop("more", ())]
        numbers = Source("usage.read", lambda: succeed(live_numbers(self.metrics)))
        feed = LiveFeed(self.clock, {"numbers": numbers}, lambda: True)
        return super().resource(*arguments, **{"more": routes, "feed": feed, **more})

    def state(self) -> State:
        """What rules work on."""
        database = self.database
        return State(self.clock.seconds, database.projects, database.tokens, self.directory, self.quota)

    def more_routes(self) -> list[Any]:
        """Tables of operations that a test needs besides."""
        return []

    def make_pages(self) -> AdminPages:
        apis_at = partial(apis_address, (), beside=True)
        return AdminPages(InProcess(self.resource()), self.clock.seconds, apis_at=apis_at)

    def visit(
        self,
        path: str,
        data: dict[str, Any] | None = None,
        *,
        method: str = "",
        headers: dict[str, str] | None = None,
        origin: str | None = ORIGIN,
        redirects: bool = False,
    ) -> Shown:
        """
        Ask for a page, or send a form to it.

        @param redirects: follow them.
        """
        sent = {"User-Agent": "a browser", "Accept-Language": "en"}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        body = None
        if data is not None:
            body = urlencode(data, doseq=True).encode()
            sent["Content-Type"] = "application/x-www-form-urlencoded"
            if origin is not None:
                sent["Origin"] = origin
        sent |= headers or {}
        method = method or ("GET" if data is None else "POST")
        url = urljoin(ORIGIN, path if path.startswith(("/admin", "http:")) else "/admin" + path)
        # A new one each time: it would keep cookies of its own.
        client = StubTreq(self._root)
        response: Any = self.successResultOf(
            client.request(method, url, headers=sent, data=body, allow_redirects=False, unbuffered=True)
        )
        shown = Shown(response, self.successResultOf(client.content(response)), path)
        self._keep(response)
        location = shown.header("location")
        if redirects and location:
            return self.visit(location, redirects=True)
        return shown

    def _keep(self, response: Any) -> None:
        for line in response.headers.getRawHeaders("set-cookie", []):
            pair, *attributes = line.split("; ")
            name, _, value = pair.partition("=")
            if "Max-Age=0" in attributes:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value

    def send(self, shown: Shown, action: str = "", *, then: bool = True, **fields: Any) -> Shown:
        """Fill in a form of a page, and send it; an address is that of the form, C{""} for the page's own."""
        form = shown.page.form("/admin" + action if action else "")
        values = {**form["fields"], **fields}
        target = form["action"] or urlsplit(shown.path).path
        return self.visit(target, {name: value for name, value in values.items() if value is not None}, redirects=then)

    def sign_in(self, token: str = MANAGEMENT_TOKEN, **fields: Any) -> Shown:
        return self.send(self.visit("/sign-in"), "/sign-in", token=token, **fields)

    def admin(self, role: str) -> str:
        """The token of a new admin."""
        token: str = self.ask("POST", "/admins", {"name": role, "role": role}).json["token"]
        return token
