"""Single sign-on at the pages, as a browser meets it; L{llmproxy.admin.signon} and L{llmproxy.app.signon} together."""

from __future__ import annotations

from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from treq.testing import StubTreq
from twisted.web.resource import Resource

from llmproxy.admin.inprocess import InProcess
from llmproxy.admin.site import AdminPages
from llmproxy.app.identity import Identity
from llmproxy.app.signon import SignOn
from llmproxy.config.identity import GrantConfig, IdentityConfig, MatchConfig
from llmproxy.core.people.assertions import LOGOUT_EVENT
from llmproxy.management.sessions import SessionRules
from llmproxy.management.state import State

from ..identity.world import ISSUER, Idp, config_of, rsa, signed
from ..store.databases import project
from ..tables import row
from ..web.manage.api import MANAGEMENT_TOKEN, ManageTestCase

HERE = "http://proxy.example"


class SignOnTests(ManageTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.idp = Idp()
        self.idp.clock = self.clock
        database = self.database
        self.successResultOf(database.projects.create(project("p1")))
        state = State(self.clock.seconds, database.projects, database.tokens, self.directory, self.quota)
        config = IdentityConfig(
            (config_of(label="Corp & Co"),),
            (GrantConfig(MatchConfig(groups=("eng",)), role="operator"), GrantConfig(project="p1")),
        )
        self.identity = Identity(
            self.clock,
            config,
            state,
            database,
            self.directory,
            b"s",
            lambda settings: self.idp,  # type: ignore[arg-type,return-value]
        )
        rules = SessionRules(self.clock.seconds, sha256(MANAGEMENT_TOKEN.encode()).digest(), database.sessions)
        sign_on = SignOn(self.identity, rules, database.sessions, self.notes)
        pages = AdminPages(InProcess(self.resource()), self.clock.seconds, sign_on=sign_on)
        root = Resource()
        root.putChild(b"admin", pages)
        self.browser = StubTreq(root)
        self.cookies: dict[str, str] = {}

    def visit(self, path: str, form: dict[str, str] | None = None, **fields: str) -> Any:
        sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()), **fields}
        data = None
        if form is not None:
            data = urlencode(form).encode()
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        url = path if path.startswith("http") else f"{HERE}/admin{path}"
        method = "GET" if form is None else "POST"
        asking = self.browser.request(method, url, headers=sent, data=data, allow_redirects=False)
        response = self.successResultOf(asking)
        response.text_ = self.successResultOf(self.browser.content(response)).decode()
        for line in response.headers.getRawHeaders("set-cookie", []):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
            if "Max-Age=0" in line:
                del self.cookies[name]
        return response

    def location(self, response: Any) -> str:
        return str(response.headers.getRawHeaders("location", [""])[0])

    def begin(self, path: str = "/sign-in/corp") -> dict[str, str]:
        """What the provider is sent."""
        response = self.visit(path)
        self.assertEqual(response.code, 303, response.text_)
        self.assertTrue(self.location(response).startswith(f"{ISSUER}/authorize?"), self.location(response))
        return {name: values[0] for name, values in parse_qs(urlsplit(self.location(response)).query).items()}

    def back(self, asked: dict[str, str], **claims: Any) -> Any:
        """The browser comes back."""
        id_token = signed(rsa(), self.idp.id_claims(asked["nonce"], **claims))
        self.idp.answers["/token"] = {"id_token": id_token, "access_token": "at"}
        return self.visit(f"/signed-in/corp?{urlencode({'state': asked['state'], 'code': 'c'})}")

    def test_signed_in(self) -> None:
        """To the provider and back, where they wanted to go; the cookie in between is gone."""
        shown = self.visit("/sign-in?next=%2Fprojects%3Fa%3Db")
        self.assertIn('href="/admin/sign-in/corp?next=/projects%3Fa%3Db"', shown.text_)
        self.assertIn("Sign in with Corp &amp; Co", shown.text_)
        asked = self.begin("/sign-in/corp?next=/projects%3Fa%3Db")
        self.assertEqual(asked["redirect_uri"], f"{HERE}/admin/signed-in/corp")
        self.assertIn("llmproxy_sign_in", self.cookies)
        response = self.back(asked)
        self.assertEqual((response.code, self.location(response)), (303, "/admin/projects?a=b"))
        self.assertNotIn("llmproxy_sign_in", self.cookies)
        self.assertIn("corp:ann@x.org", self.visit("/").text_)
        _, actor, outcome, details = next(each for each in self.notes.events if each[0] == "session.create")
        self.assertEqual((actor, outcome, details["provider"]), ("corp:ann@x.org", "success", "corp"))

    def test_open_redirect(self) -> None:
        """Nobody is sent to another site, whatever stands there."""
        for wanted in ("https://evil.example/", "//evil.example/", "/\\evil.example", "/a/../../x", "javascript:x"):
            with row(wanted):
                asked = self.begin(f"/sign-in/corp?{urlencode({'next': wanted})}")
                self.assertEqual(self.location(self.back(asked)), "/admin/")

    def test_replayed(self) -> None:
        """An answer is good once, in the browser that has begun, and for what it has begun."""
        asked = self.begin()
        self.back(asked)
        again = self.visit(f"/signed-in/corp?{urlencode({'state': asked['state'], 'code': 'c'})}")
        self.assertEqual(again.code, 400)
        self.assertIn("not begun in this browser", again.text_)
        first = self.begin()
        self.begin()
        self.assertIn("another sign-in", self.back(first).text_)
        # One that was begun for a program opens no pages.
        begun = self.successResultOf(
            _deferred(self.identity.signin.begin("corp", f"{HERE}/admin/signed-in/corp", "", "device"))
        )
        self.cookies["llmproxy_sign_in"] = begun.cookie
        state = parse_qs(urlsplit(begun.url).query)["state"][0]
        self.assertIn("another sign-in", self.visit(f"/signed-in/corp?state={state}&code=c").text_)

    def test_no_role(self) -> None:
        """Who has a project alone is told so, and has no session."""
        response = self.back(self.begin(), groups=[])
        self.assertEqual(response.code, 403)
        self.assertIn("gives you a role here", response.text_)
        self.assertNotIn("llmproxy_session", self.cookies)
        self.assertEqual(self.notes.events[-1][2], "denied")

    def test_revoked(self) -> None:
        """Who is shut out is so with the next page, and cannot come back."""
        self.back(self.begin())
        person = self.successResultOf(self.identity.store.page(10)).items[0]
        self.successResultOf(_deferred(self.identity.people.revoke(person.id)))
        self.assertIn("/admin/sign-in?over=1", self.location(self.visit("/")))
        self.assertIn("was revoked", self.back(self.begin()).text_)

    def test_provider_away(self) -> None:
        """The token opens the pages all the same."""
        self.idp.away = True
        shown = self.visit("/sign-in/corp")
        self.assertEqual((shown.code, "use a token" in shown.text_), (503, True))
        self.assertEqual(self.visit("/sign-in/other").code, 400)
        self.assertIn('name="token"', shown.text_)

    def test_back_channel(self) -> None:
        """The provider ends a session; nobody else does."""
        self.back(self.begin())
        said = {"aud": "llmproxy", "events": {LOGOUT_EVENT: {}}, "client_id": None, "sid": "s1"}
        forged = signed(rsa("k2"), self.idp.claims(**said))
        good = signed(rsa(), self.idp.claims(**said))
        for form, status in (({"logout_token": forged}, 400), ({}, 400), ({"logout_token": good}, 200)):
            with row(form):
                cookies, self.cookies = self.cookies, {}
                self.assertEqual(self.visit("/back-channel-logout/corp", form).code, status)
                self.cookies = cookies
                self.assertEqual("over=1" in self.location(self.visit("/")), status == 200)

    def test_signed_out(self) -> None:
        """Here at once; at the provider too, for who wants that."""
        self.back(self.begin())
        page = self.visit("/").text_
        csrf = page.partition('name="csrf" value="')[2].partition('"')[0]
        shown = self.visit("/sign-out", {"csrf": csrf}, Origin=HERE)
        self.assertIn(f'href="{ISSUER}/out?id_token_hint=', shown.text_)
        self.assertNotIn("llmproxy_session", self.cookies)

    def test_public_url(self) -> None:
        """Behind a proxy that changes Host the address is what the configuration says."""
        config = self.identity.config
        self.identity.take(IdentityConfig(config.providers, config.rules, "https://llm.example.com/"))
        self.assertEqual(self.begin()["redirect_uri"], "https://llm.example.com/admin/signed-in/corp")


def _deferred(coroutine: Any) -> Any:
    from twisted.internet.defer import Deferred

    return Deferred.fromCoroutine(coroutine)
