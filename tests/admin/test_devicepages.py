"""Tests for L{llmproxy.admin.devicepages}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from attrs import evolve, frozen
from twisted.internet.defer import fail
from twisted.web.resource import Resource

from llmproxy.admin.devicepages import DevicePages
from llmproxy.admin.personpages import SignInRefused
from llmproxy.core.failures import Failures
from llmproxy.core.people.person import Asserted, Person
from llmproxy.errors import Unavailable
from llmproxy.identityerrors import NotGranted

from ..management.test_people import ANN
from ..tables import row
from ..web.agents.oauthcase import OAuthTestCase
from .browser import ORIGIN, Shown
from .personbrowser import PersonBrowser

IDP = "https://id.example/authorize"


@frozen
class Begun:
    url: str
    cookie: str


@frozen
class Returned:
    asserted: Asserted
    next: str
    refresh_token: str = ""


class SignsIn:
    """Providers that let in who comes back with the right code and state."""

    def __init__(self, test: Any) -> None:
        self.test = test
        self.kept: dict[str, tuple[str, Any]] = {}
        self.asserted = ANN
        self.refresh_token = ""
        self.redirects: list[str] = []
        self.place = ""

    def providers(self) -> list[tuple[str, str]]:
        return [("corp", "Corporate account"), ("other", "<b>Other</b>")]

    def public_url(self) -> str:
        return self.place

    async def begin(self, provider: str, redirect_uri: str, next: str) -> Begun:
        if provider not in dict(self.providers()):
            raise SignInRefused("There is no such identity provider here.", 404)
        self.redirects.append(redirect_uri)
        cookie = self.seal("attempt", [provider, redirect_uri, next])
        return Begun(f"{IDP}?{urlencode({'state': cookie})}", cookie)

    async def finish(self, provider: str, redirect_uri: str, parameters: Mapping[str, str], cookie: str) -> Returned:
        known = self.open("attempt", cookie)
        if known is None or known[:2] != [provider, redirect_uri] or parameters.get("state") != cookie:
            raise SignInRefused("This is no answer to a sign-in of this browser.")
        return Returned(self.asserted, known[2], self.refresh_token)

    async def person(self, asserted: Asserted) -> Person:
        found: Person = await self.test.people.sign_in(asserted)
        return found

    def provider_token(self, returned: Returned, person: Person) -> str | None:
        return f"sealed {person.id} {returned.refresh_token}" if returned.refresh_token else None

    async def known(self, person_id: str) -> Person:
        found: Person = await self.test.people.get(person_id)
        return found

    def seal(self, kind: str, value: Any) -> str:
        self.kept[f"sealed{len(self.kept)}"] = (kind, value)
        return f"sealed{len(self.kept) - 1}"

    def open(self, kind: str, text: str) -> Any:
        found = self.kept.get(text, ("", None))
        return (
            dict(found[1])
            if found[0] == kind and isinstance(found[1], dict)
            else found[1]
            if found[0] == kind
            else None
        )


class DevicePagesTests(PersonBrowser, OAuthTestCase):
    place = "/device"

    def setUp(self) -> None:
        super().setUp()
        self.signs_in = SignsIn(self)
        pages = DevicePages(self.devices, self.signs_in, self.clock.seconds, None, self.audit, Failures())
        self.pages = Resource()
        self.pages.putChild(b"device", pages)
        self.cookies: dict[str, str] = {}
        self.begun = self.done(self.devices.begin("claude-cli/2.1", "laptop", "203.0.113.7"))
        self.code = self.begun.user_code

    def send(self, shown: Shown, action: str, **fields: str) -> Shown:
        form = shown.page.form(f"/device{action}")
        return self.visit(action, {**form["fields"], **fields})

    def entered(self, code: str = "") -> Shown:
        return self.send(self.visit("/"), "/", user_code=code or self.code)

    def returned(self, provider: str = "corp", **changes: str) -> Shown:
        """A browser that has been at the provider."""
        begun = self.visit(f"/sign-in/{provider}")
        self.assertEqual(begun.status, 303)
        state = parse_qs(urlsplit(begun.header("location") or "").query)["state"][0]
        return self.visit(f"/callback/{provider}?{urlencode({'code': 'c', 'state': state, **changes})}")

    def consent(self) -> Shown:
        self.entered()
        back = self.returned()
        self.assertEqual(back.header("location"), "/device/decide")
        return self.visit("/decide")

    def test_let_in(self) -> None:
        """A code, a provider, a decision, in which the person reads what asks and who they are."""
        shown = self.entered()
        self.assertEqual(shown.status, 200)
        self.assertIn("claude-cli/2.1", shown.text)
        self.assertIn(("/device/sign-in/corp", "Go on with Corporate account"), shown.page.links)
        self.assertIn(b"&lt;b&gt;Other", shown.body)
        consent = self.consent()
        for words in ("claude-cli/2.1", "laptop", "203.0.113.7", self.code, "Ann", "ann@x.org"):
            self.assertIn(words, consent.text, words)
        done = self.send(consent, "/decide", answer="allow")
        self.assertIn("was let in", done.text)
        issued = self.done(self.devices.redeem(self.begun.device_code))
        self.assertEqual(issued.person.id, self.ann.id)
        action, actor, outcome, details = self.audit.records[-1]
        self.assertEqual((action, actor, outcome), ("device.allow", "corp:ann@x.org", "success"))
        self.assertEqual((details["program"], details["device"]), ("claude-cli/2.1", "laptop"))
        self.assertNotIn(self.code, repr(self.audit.records))
        self.assertEqual(set(self.cookies), {"llmproxy_visitor"})

    def test_refused(self) -> None:
        done = self.send(self.consent(), "/decide", answer="deny")
        self.assertIn("was refused", done.text)
        self.assertEqual(self.audit.records[-1][0], "device.deny")

    def test_reinstated(self) -> None:
        """Who has signed in to decide, and was shut out since, decides nothing, let in again or not."""
        consent = self.consent()
        self.done(self.people.revoke(self.ann.id))
        self.done(self.people.reinstate(self.ann.id))
        self.assertEqual(self.send(consent, "/decide", answer="allow").status, 400)
        self.assertIsNotNone(self.done(self.devices.waiting(self.code)))

    def test_provider_token(self) -> None:
        """What the provider can be asked with again goes with the device; what is refused keeps nothing of it."""
        self.signs_in.refresh_token = "of the provider"
        self.send(self.consent(), "/decide", answer="allow")
        issued = self.done(self.devices.redeem(self.begun.device_code))
        self.assertEqual(issued.device.provider_token, f"sealed {self.ann.id} of the provider")
        self.assertNotIn("of the provider", repr(issued.device))

    def test_code_of_an_address(self) -> None:
        """It is shown, and not sent by itself; what is none is not shown."""
        self.assertEqual(self.visit(f"?user_code={self.code}").header("location"), f"/device/?user_code={self.code}")
        shown = self.visit(f"/?user_code={self.code.lower()}")
        self.assertEqual(shown.page.form("/device/")["fields"]["user_code"], self.code)
        self.assertIn("came with the link", shown.text)
        self.assertNotIn("claude-cli", shown.text)
        self.assertNotIn(b"script>alert", self.visit("/?user_code=%3Cscript%3Ealert").body)

    def test_unknown_codes(self) -> None:
        """Who guesses waits; the code stays in the form, the right one too then."""
        for _ in range(10):
            shown = self.entered("BBBB-BBBB")
            self.assertEqual((shown.status, shown.page.form("/device/")["fields"]["user_code"]), (400, "BBBB-BBBB"))
        shown = self.entered()
        self.assertEqual((shown.status, shown.header("retry-after")), (429, "6"))
        self.clock.advance(6)
        self.assertEqual(self.entered().status, 200)

    def test_forged(self) -> None:
        """A page of another site can send neither form, nor can who has not its token; nothing is decided."""
        consent = self.consent()
        fields = consent.page.form("/device/decide")["fields"]
        for origin, more in (
            ("https://evil.example", fields),
            (None, fields),
            ("null", fields),
            (ORIGIN, {**fields, "csrf": "0" * 96}),
            (ORIGIN, {}),
        ):
            with row(origin):
                shown = self.visit("/decide", {**more, "answer": "allow"}, origin=origin)
                self.assertEqual(shown.status, 403)
        self.assertIsNotNone(self.done(self.devices.waiting(self.code)))
        self.assertEqual(self.visit("/decide", {**fields, "answer": "perhaps"}).status, 400)

    def test_not_begun(self) -> None:
        """Neither sign-in nor decision begins in the middle; a cookie is taken for what it was made for alone."""
        for path in ("/sign-in/corp", "/decide"):
            self.assertEqual(self.visit(path).status, 400, path)
        self.entered()
        self.cookies["llmproxy_device_decider"] = self.cookies["llmproxy_device"]
        self.assertEqual(self.visit("/decide").status, 400)
        self.assertEqual(self.visit("/sign-in/nowhere").status, 404)
        self.assertEqual(self.visit("/elsewhere").status, 404)

    def test_mixed_up(self) -> None:
        """What comes back to another provider's place, with another state, or without the cookie, signs nobody in."""
        self.entered()
        self.assertEqual(self.returned(state="x").status, 400)
        begun = self.visit("/sign-in/corp")
        state = parse_qs(urlsplit(begun.header("location") or "").query)["state"][0]
        self.assertEqual(self.visit(f"/callback/other?{urlencode({'code': 'c', 'state': state})}").status, 400)
        # That cookie is gone: it was good for one answer.
        self.assertEqual(self.visit(f"/callback/corp?{urlencode({'code': 'c', 'state': state})}").status, 400)
        self.assertNotIn("llmproxy_device_decider", self.cookies)

    def test_too_late(self) -> None:
        """Who takes too long, or whose program has given up, is told."""
        consent = self.consent()
        self.clock.advance(600)
        self.assertEqual(self.send(consent, "/decide", answer="allow").status, 400)
        self.begun = self.done(self.devices.begin("codex", "", ""))
        self.code = self.begun.user_code
        consent = self.consent()
        self.decided(self.code, False)
        shown = self.send(consent, "/decide", answer="allow")
        self.assertEqual(shown.status, 400)
        self.assertIn("waits no longer", shown.text)

    def test_not_granted(self) -> None:
        """Who is nobody here is told so, and the audit log too."""

        async def refused(asserted: Asserted) -> Person:
            raise NotGranted("no rule is for this person")

        self.patch(self.signs_in, "person", refused)
        self.entered()
        shown = self.returned()
        self.assertEqual(shown.status, 403)
        self.assertIn("no rule is for this person", shown.text)
        self.assertEqual(self.audit.records[-1][:3], ("device.sign_in", "anonymous", "denied"))

    def test_shut_out(self) -> None:
        """Who is shut out between two pages lets nothing in."""
        consent = self.consent()
        self.done(self.people.revoke(self.ann.id))
        self.assertEqual(self.send(consent, "/decide", answer="allow").status, 400)
        self.entered()
        self.assertEqual(self.returned().status, 403)

    def test_away(self) -> None:
        """What was typed, and what was decided, is sent again from the page that says so."""
        waiting, decide = self.devices.waiting, self.devices.decide
        self.devices.waiting = lambda code: fail(Unavailable("away"))
        shown = self.entered()
        self.assertEqual(shown.status, 503)
        self.devices.waiting = waiting
        self.assertEqual(self.send(shown, "/", then=False).status, 200)
        consent = self.consent()
        self.devices.decide = lambda *_: fail(Unavailable("away"))
        shown = self.send(consent, "/decide", answer="allow")
        self.assertEqual(shown.status, 503)
        self.devices.decide = decide
        self.assertEqual(self.send(shown, "/decide").status, 200)
        self.assertEqual(self.send(shown, "/decide").status, 400)

    def test_place(self) -> None:
        """Where the provider sends people back is what is configured, else where they are."""
        self.entered()
        self.visit("/sign-in/corp")
        self.signs_in.place = "https://llm.example/"
        self.visit("/sign-in/corp")
        self.assertEqual(
            self.signs_in.redirects,
            [f"{ORIGIN}/device/callback/corp", "https://llm.example/device/callback/corp"],
        )

    def test_protection(self) -> None:
        """What the admin pages have: no frames, nothing of others, nothing kept; static files and colours too."""
        shown = self.visit("/")
        self.assertIn("frame-ancestors 'none'", shown.header("content-security-policy") or "")
        self.assertEqual(shown.header("cache-control"), "no-store")
        style = next(found["href"] for tag, found in shown.page.tags if found.get("rel") == "stylesheet")
        assert style is not None
        self.assertEqual(self.visit(style.removeprefix("/device")).status, 200)
        form = shown.page.form("/device/display")
        self.assertEqual(self.visit("/display", {**form["fields"], "theme": "dark"}).header("location"), "/device/")

    def test_another_person(self) -> None:
        """Who decides is who has signed in last."""
        self.signs_in.asserted = evolve(ANN, subject="u2", name="Ben", email="ben@x.org")
        self.assertIn("Ben", self.consent().text)
