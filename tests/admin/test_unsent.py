"""Forms that could not be acted on: nothing that was filled in is lost, and nothing is done twice."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.admin.backend import ApiError
from llmproxy.admin.inprocess import InProcess
from llmproxy.admin.signon import ProviderName
from llmproxy.admin.site import AdminPages
from llmproxy.admin.unsent import MOST_PACKED, Unsent, unpacked, unsent
from llmproxy.admin.visit import Form

from ..tables import row
from ..web.manage.api import MANAGEMENT_TOKEN
from .browser import PagesTestCase

SECRET = "sk-upstream-canary"
MARKUP = '"><script>alert(1)</script> שלום é'
ODD = MARKUP + "\r\nnext"


class UnsentTests(SynchronousTestCase):
    def test_kept(self) -> None:
        """All but secrets, which have names, and what the page itself puts in."""
        values = {
            "csrf": ["0"],
            "name": [" a "],
            "models": ["x", "y"],
            "key.openai": ["sk"],
            "key.other": [""],
            "token": ["t"],
            "secret": [""],
        }
        kept = unsent("/projects/new?x=1", Form(values))
        self.assertEqual(kept.path, "/projects/new?x=1")
        self.assertEqual(kept.fields, (("name", " a "), ("models", "x"), ("models", "y")))
        self.assertEqual(kept.secrets, (("key.openai", "Key of openai"), ("token", "Token")))
        self.assertEqual(unpacked(kept.packed()), kept)
        self.assertNotIn("sk", kept.packed())

    def test_any_text(self) -> None:
        for text in ("", ODD, "\0", "x" * 70_000):
            with row(text[:20]):
                kept = Unsent("/x", (("name", text),))
                self.assertEqual(unpacked(kept.packed()), kept)
                self.assertEqual(kept.fits(), len(text) < MOST_PACKED)

    def test_no_other(self) -> None:
        """What a browser sends that nobody has packed is nothing, and nothing fails."""
        for text in (
            *("", "null", "[]", "{}", "1", "[1, [], []]", '["/x", [["a"]], []]', '["/x", [["a", 1]], []]'),
            *('["/x", [], [1]]', '["/x", 5, []]', '["/x"', "[" * 100_000, '["/x", [["a", "b", "c"]], []]'),
        ):
            with row(text[:30]):
                self.assertIs(unpacked(text), None)

    def test_no_field_of_ours(self) -> None:
        """A form that was packed by somebody else brings no token of forms, and no secret is asked for by its name."""
        kept = unpacked('["/x", [["csrf", "1"], ["a", "b"]], ["name", "key.a"]]')
        self.assertEqual(kept, Unsent("/x", (("a", "b"),), (("key.a", "Key of a"),)))


class Failing:
    """A backend that can be away."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.error: ApiError | None = None

    def api(self, *arguments: Any) -> Any:
        api = self._backend.api(*arguments)
        if self.error is not None:
            api.who = self._fail
        return api

    async def sign_in(self, *arguments: Any) -> Any:
        if self.error is not None:
            raise self.error
        return await self._backend.sign_in(*arguments)

    async def _fail(self) -> Any:
        assert self.error is not None
        raise self.error


class Provides:
    """An identity provider, as far as a page shows it."""

    def providers(self) -> list[ProviderName]:
        return [ProviderName("corp", "Corporate account")]


class SentAgainTests(PagesTestCase):
    backend: Failing

    def make_pages(self) -> AdminPages:
        self.backend = Failing(InProcess(self.resource()))
        backend: Any = self.backend
        return AdminPages(backend, self.clock.seconds)

    def names(self) -> list[str]:
        return [each["name"] for each in self.ask("GET", "/projects").json]

    def test_away(self) -> None:
        """Where the database is away, the form is sent again from the page that says so, as often as it takes."""
        self.sign_in()
        page = self.visit("/projects/new")
        for status in (502, 503, 500):
            with row(status):
                self.backend.error = ApiError(status, "service_unavailable", "x")
                shown = self.send(page, "", then=False, name=MARKUP)
                self.assertEqual(shown.status, status)
                shown = self.send(shown, "/projects/new", then=False)
                self.assertEqual(shown.status, status)
                self.assertIn("What you had filled in is kept", shown.text)
                self.assertNotIn(b"<script>alert", shown.body)
        self.assertEqual(self.names(), [])
        self.backend.error = None
        shown = self.send(shown, "/projects/new", then=False)
        self.assertEqual(shown.status, 303)
        self.assertEqual(self.names(), [MARKUP])

    def test_secrets(self) -> None:
        """What is secret stands in no page, and has to be typed again."""
        self.sign_in()
        page = self.visit("/projects/new")
        self.backend.error = ApiError(503, "service_unavailable", "x")
        shown = self.send(page, "", then=False, **{"name": "a", "key.openai": SECRET})
        self.assertNotIn(SECRET.encode(), shown.body)
        self.assertIn("Key of openai", shown.text)
        self.assertNotIn("Key of anthropic", shown.text)
        again = shown.page.form("/admin/projects/new")["fields"]
        self.assertEqual(again["key.openai"], "")
        self.backend.error = None
        self.assertEqual(self.send(shown, "/projects/new", then=False, **{"key.openai": SECRET}).status, 303)
        (made,) = self.ask("GET", "/projects").json
        self.assertIn("openai", str(made))

    def test_session_over(self) -> None:
        """Who signs in again in between finds the form that was sent too late."""
        for keep in (None, "1"):
            self.cookies.clear()
            self.sign_in()
            page = self.visit("/projects/new")
            self.ask("DELETE", "/sessions")
            shown = self.send(page, "", then=False, name=f"late {keep}")
            with row(keep):
                self.assertEqual(shown.status, 403)
                self.assertIn("What you had filled in is kept, and can be sent then.", shown.text)
                # A wrong token, and a moment in which nobody can be asked, lose nothing.
                shown = self.send(shown, "/sign-in", then=False, token="wrong", keep=keep)
                self.assertEqual(shown.status, 401)
                self.backend.error = ApiError(503, "service_unavailable", "x")
                shown = self.send(shown, "/sign-in", then=False, token=MANAGEMENT_TOKEN, keep=keep)
                self.assertEqual(shown.status, 503)
                self.assertIn("Try again", shown.text)
                self.backend.error = None
                shown = self.send(shown, "/sign-in", then=False, token=MANAGEMENT_TOKEN, keep=keep)
                self.assertEqual(shown.status, 200)
                self.assertIn(b"<title>You are signed in again.", shown.body)
                self.assertNotIn(f"late {keep}", self.names())
                self.assertEqual(self.send(shown, "/projects/new", then=False).status, 303)
                self.assertIn(f"late {keep}", self.names())

    def test_by_a_provider(self) -> None:
        """Who signs in by a provider does so in another tab, as no redirect takes a form along, and comes back."""
        sign_on: Any = Provides()
        self._root.putChild(b"admin", AdminPages(InProcess(self.resource()), self.clock.seconds, sign_on=sign_on))
        self.sign_in()
        page = self.visit("/projects/new")
        self.ask("DELETE", "/sessions")
        shown = self.send(page, "", then=False, name="late")
        links = [found for tag, found in shown.page.tags if tag == "a" and "/sign-in/corp" in (found.get("href") or "")]
        self.assertEqual([found.get("target") for found in links], ["_blank"])
        # The other tab.
        self.sign_in()
        again = self.send(shown, "/projects/new", then=False)
        self.assertEqual(again.status, 403)
        self.assertEqual(self.send(again, "/projects/new", then=False).status, 303)
        self.assertEqual(self.names(), ["late"])
        self.assertNotIn("_blank", self.visit("/sign-in").body.decode())

    def test_signed_out_elsewhere(self) -> None:
        """The same where another tab has signed out, or signed in anew."""
        self.sign_in()
        page = self.visit("/projects/new")
        self.send(self.visit("/projects"), "/sign-out")
        shown = self.send(page, "", then=False, name="one")
        self.assertEqual(shown.status, 403)
        shown = self.send(shown, "/sign-in", then=False, token=MANAGEMENT_TOKEN)
        self.send(shown, "/projects/new", then=False)
        page = self.visit("/projects/new")
        self.sign_in()
        shown = self.send(page, "", then=False, name="two")
        self.assertEqual(shown.status, 403)
        self.assertIn("It is older than your session.", shown.text)
        self.send(shown, "/projects/new", then=False)
        self.assertEqual(sorted(self.names()), ["one", "two"])

    def test_not_from_elsewhere(self) -> None:
        """A form that a page of another site has sent is not offered to be sent again."""
        self.sign_in()
        fields = {**self.visit("/projects/new").page.form("")["fields"], "name": "forged"}
        for cookies in (dict(self.cookies), {}):
            for origin in ("http://evil.example", "null", None):
                self.cookies = dict(cookies)
                shown = self.visit("/projects/new", fields, origin=origin)
                with row(bool(cookies), origin):
                    self.assertEqual(shown.status, 403)
                    self.assertNotIn(b"forged", shown.body)

    def test_only_here(self) -> None:
        """A form that is brought to the sign-in leads nowhere else."""
        for path in ("//evil.example/x", "https://evil.example", "/sign-out", "/../manage", "/projects\n"):
            self.cookies.clear()
            packed = Unsent(path, (("name", "a"),)).packed()
            shown = self.send(self.visit("/sign-in"), "/sign-in", then=False, token=MANAGEMENT_TOKEN, unsent=packed)
            with row(path):
                self.assertEqual((shown.status, shown.header("location")), (303, "/admin/"))

    def test_address(self) -> None:
        """No page has a form that goes to an address which a browser would take for another site's."""
        self.sign_in()
        fields = {**self.visit("/projects/new").page.form("")["fields"], "name": "a"}
        self.backend.error = ApiError(503, "service_unavailable", "x")
        for path in ("//evil.example/x", "/%2e%2e/manage/projects", "/sign-out"):
            shown = self.visit(f"/admin{path}", fields)
            with row(path):
                self.assertEqual(shown.status, 503)
                self.assertNotIn("Send it again", shown.text)
        self.assertIn("Send it again", self.visit("/projects/new", fields).text)

    def test_too_large(self) -> None:
        """What is too large to go through signing in does not keep anybody out."""
        self.sign_in()
        page = self.visit("/projects/new")
        self.ask("DELETE", "/sessions")
        shown = self.send(page, "", then=False, name="x" * (MOST_PACKED + 1))
        self.assertEqual((shown.status, shown.header("location")), (303, "/admin/sign-in?over=1"))
