"""The pages as a whole: who may see them, how one signs in and out, what nobody else can make a browser do."""

from __future__ import annotations

from twisted.web.resource import Resource

from llmproxy.admin.headers import POLICY
from llmproxy.admin.inprocess import InProcess
from llmproxy.admin.site import AdminPages
from llmproxy.core.failures import BURST
from llmproxy.core.sessions import IDLE

from ..tables import row
from ..web.manage.api import MANAGEMENT_TOKEN
from .browser import PagesTestCase


class SignInTests(PagesTestCase):
    def test_asked_first(self) -> None:
        """Who is not signed in is asked to, and then sees what they came for."""
        shown = self.visit("/projects?search=x")
        self.assertEqual(
            (shown.status, shown.header("location")), (303, "/admin/sign-in?next=%2Fprojects%3Fsearch%3Dx")
        )
        shown = self.visit(shown.header("location") or "")
        shown = self.send(shown, "/sign-in", token=MANAGEMENT_TOKEN, then=False)
        self.assertEqual((shown.status, shown.header("location")), (303, "/admin/projects?search=x"))
        self.assertIn("management_api", self.visit("/projects").text)

    def test_elsewhere(self) -> None:
        """Pages apart from the proxy say that they know tokens alone; its own do not."""
        self.assertNotIn("apart from the proxy", self.visit("/sign-in").text)
        self._root.putChild(b"admin", AdminPages(InProcess(self.resource()), self.clock.seconds, is_elsewhere=True))
        for _ in "ab":
            self.assertIn("apart from the proxy", self.visit("/sign-in").text)
            self.assertIn("apart from the proxy", self.sign_in("wrong").text)

    def test_refused(self) -> None:
        """An empty token and a wrong one are explained; what was typed is not shown again."""
        for token, status, words in (("", 400, "Enter your management token"), ("wrong-<b>", 401, "not known here")):
            shown = self.sign_in(token)
            self.assertEqual(shown.status, status, token)
            self.assertIn(words, shown.text, token)
            self.assertNotIn("wrong", shown.body.decode(), token)
            self.assertNotIn("llmproxy_session", self.cookies, token)

    def test_lock_out(self) -> None:
        """Who guesses is told how long to wait, and the right token does not help meanwhile."""
        for _ in range(BURST):
            self.sign_in("wrong")
        shown = self.sign_in()
        self.assertEqual(shown.status, 429)
        self.assertRegex(shown.text, r"Too many failed attempts from \S+\. Try again in [0-9]+ seconds\.")
        self.clock.advance(float(shown.header("retry-after") or 0))
        self.assertEqual(self.sign_in().status, 200)

    def test_cookie(self) -> None:
        """The cookie is for no script, and for this browser's lifetime, unless it is to be kept."""
        for keep, ends in ((None, False), ("1", True)):
            shown = self.send(self.visit("/sign-in"), "/sign-in", token=MANAGEMENT_TOKEN, keep=keep, then=False)
            line = next(each for each in shown.headers.getRawHeaders("set-cookie") if "session" in each)
            self.assertRegex(line, r"\Allmproxy_session=llmproxy_session_\S{43}; Path=/; HttpOnly; SameSite=Lax", keep)
            self.assertEqual("Max-Age=2592000" in line, ends, keep)

    def test_over_tls(self) -> None:
        """Over TLS it is one that no other host can set, and one that came in clear is not accepted."""
        shown = self.visit("/sign-in")
        fields = {**shown.page.form("/admin/sign-in")["fields"], "token": MANAGEMENT_TOKEN}
        shown = self.visit("/sign-in", fields, origin="https://proxy.example")
        line = next(each for each in shown.headers.getRawHeaders("set-cookie") if "session" in each)
        self.assertTrue(line.startswith("__Host-llmproxy_session="), line)
        self.assertIn("; Secure", line)

    def test_rotated(self) -> None:
        """Signing in gives another session, and ends the one before: nobody can have prepared it."""
        self.sign_in()
        before = self.cookies["llmproxy_session"]
        self.sign_in()
        self.assertNotEqual(self.cookies["llmproxy_session"], before)
        self.cookies["llmproxy_session"] = before
        self.assertEqual(self.visit("/").header("location"), "/admin/sign-in?over=1")
        self.cookies["llmproxy_session"] = "chosen-by-somebody-else"
        self.sign_in()
        self.assertTrue(self.cookies["llmproxy_session"].startswith("llmproxy_session_"))

    def test_over(self) -> None:
        """A session that has ended says so, and the page that was asked for is found again."""
        self.sign_in()
        self.clock.advance(IDLE)
        shown = self.visit("/projects?state=active")
        self.assertEqual(shown.header("location"), "/admin/sign-in?next=%2Fprojects%3Fstate%3Dactive&over=1")
        self.assertNotIn("llmproxy_session", self.cookies)
        self.assertIn("Your session has ended", self.visit(shown.header("location") or "").text)

    def test_signed_out(self) -> None:
        """Signing out ends the session, here or everywhere."""
        self.sign_in()
        other = dict(self.cookies)
        self.cookies.clear()
        self.sign_in()
        mine = self.cookies["llmproxy_session"]
        shown = self.send(self.visit("/projects"), "/sign-out")
        self.assertIn("Sign in", shown.text)
        self.cookies["llmproxy_session"] = mine
        self.assertEqual(self.visit("/projects").status, 303)
        self.cookies = other
        self.assertEqual(self.visit("/projects").status, 200)
        self.send(self.visit("/projects"), "/sign-out", everywhere="1")
        self.assertEqual(self.ask("GET", "/sessions").json, [])

    def test_nowhere_else(self) -> None:
        """After signing in nobody is sent to another site."""
        for target in (
            "//evil.example",
            "https://evil.example/",
            "/\\evil.example",
            "javascript:alert(1)",
            "/sign-out",
        ):
            shown = self.send(self.visit("/sign-in"), "/sign-in", token=MANAGEMENT_TOKEN, next=target, then=False)
            self.assertEqual(shown.header("location"), "/admin/", target)


class ForgeryTests(PagesTestCase):
    def test_refused(self) -> None:
        """A form without its token, with that of another session, or from another origin does nothing."""
        self.sign_in()
        page = self.visit("/projects/new")
        fields = {**page.page.form("")["fields"], "name": "forged"}
        other = {**fields, "csrf": "0" * 96}
        for data, origin in (
            ({**fields, "csrf": ""}, "http://proxy.example"),
            (other, "http://proxy.example"),
            (fields, "http://evil.example"),
            (fields, "http://proxy.example.evil"),
            (fields, "null"),
            (fields, None),
        ):
            shown = self.visit("/projects/new", data, origin=origin)
            self.assertEqual(shown.status, 403, (data["csrf"][:4], origin))
        self.assertEqual(self.ask("GET", "/projects").json, [])
        self.assertEqual(self.visit("/projects/new", fields).status, 303)

    def test_sign_in(self) -> None:
        """Nobody is signed in as somebody else by a page of another site."""
        fields = {**self.visit("/sign-in").page.form("/admin/sign-in")["fields"], "token": MANAGEMENT_TOKEN}
        self.assertEqual(self.visit("/sign-in", fields, origin="http://evil.example").status, 403)
        self.cookies.clear()
        self.assertEqual(self.visit("/sign-in", fields).status, 403)

    def test_not_by_a_link(self) -> None:
        """Nothing is done by looking at an address."""
        self.sign_in()
        project = self.project()
        for path in ("/sign-out", f"/projects/{project}/activate", "/sessions/end"):
            self.assertEqual(self.visit(path).status, 404, path)

    def test_other_forms(self) -> None:
        """What is no form is not read as one."""
        self.sign_in()
        shown = self.visit("/projects/new", {"name": "x"}, headers={"Content-Type": "text/plain"})
        self.assertEqual(shown.status, 400)
        self.assertEqual(self.ask("GET", "/projects").json, [])


class PolicyTests(PagesTestCase):
    def test_fields(self) -> None:
        """Every answer says what a browser may do with it, errors and files too."""
        self.sign_in()
        for path in ("/", "/projects", "/nothing", "/sign-in", "/static/nothing.css"):
            shown = self.visit(path)
            self.assertEqual(shown.header("content-security-policy"), POLICY.decode(), path)
            self.assertEqual(shown.header("x-content-type-options"), "nosniff", path)
            self.assertEqual(shown.header("referrer-policy"), "same-origin", path)
            self.assertEqual(shown.header("cross-origin-opener-policy"), "same-origin", path)
            self.assertEqual(shown.header("cache-control"), "no-store", path)

    def test_nothing_inline(self) -> None:
        """No page has a script, a style or an event of its own: the policy would refuse it."""
        self.sign_in()
        project = self.project("a")
        for path in ("/", "/projects", f"/projects/{project}", f"/projects/{project}/edit", "/sessions", "/display"):
            for tag, attributes in self.visit(path).page.tags:
                self.assertFalse(any(name == "style" or name.startswith("on") for name in attributes), (path, tag))
                self.assertFalse(tag == "style" or (tag == "script" and "src" not in attributes), (path, tag))

    def test_roles(self) -> None:
        """Each role is shown what it may do, and refused the rest whatever it asks for."""
        project = self.project()
        for role, may in (("owner", True), ("operator", True), ("auditor", False)):
            self.cookies.clear()
            self.sign_in(self.admin(role))
            listed = self.visit("/projects")
            self.assertEqual("Create project" in listed.text, may, role)
            self.assertEqual(self.visit("/projects/new").status, 200 if may else 403, role)
            self.assertEqual("Deactivate" in self.visit(f"/projects/{project}").text, may, role)
            csrf = listed.page.form("/admin/sign-out")["fields"]["csrf"]
            sent = self.visit(f"/projects/{project}/deactivate", {"csrf": csrf})
            self.assertEqual(sent.status, 303 if may else 403, role)
            self.ask("PATCH", f"/projects/{project}", {"is_active": True})

    def test_methods(self) -> None:
        """Other methods are refused, and HEAD is GET without its content."""
        self.sign_in()
        self.assertEqual(self.visit("/projects", method="PUT").status, 405)
        shown = self.visit("/projects", method="HEAD")
        self.assertEqual((shown.status, shown.body), (200, b""))

    def test_audited(self) -> None:
        """What is done in a page is in the audit log as such, with the browser that did it."""
        self.sign_in()
        self.send(self.visit("/projects/new"), name="from a page")
        _, actor, outcome, details = next(each for each in self.notes.events if each[0] == "project.create")
        self.assertEqual((actor, outcome, details["origin"]), ("management_api", "success", "admin-ui"))
        self.assertEqual(details["forwarded_user_agent"], "a browser")

    def test_display(self) -> None:
        """Numbers, dates and colours are as a reader chooses, signed in or not."""
        self.send(self.visit("/sign-in"), "/display", theme="dark")
        self.assertIn(b'data-theme="dark"', self.visit("/sign-in").body)
        self.sign_in()
        self.send(self.visit("/display"), "/display", theme="light", zone="Asia/Tokyo", locale="de")
        shown = self.visit("/display")
        self.assertIn("1.234.567,891", shown.text)
        self.assertIn("times are Asia/Tokyo", shown.text)
        self.assertIn(b'data-theme="light"', shown.body)

    def test_database_away(self) -> None:
        """Where the database is away a page says that, with a way to try again; nobody is signed out by it."""
        self.sign_in()
        self.successResultOf(self.database.close())
        for path in ("/", "/projects", "/tokens", "/sessions"):
            shown = self.visit(path)
            self.assertEqual(shown.status, 503, path)
            self.assertIn("The proxy cannot answer now.", shown.text, path)
            self.assertIn("Try again", shown.text, path)
        self.assertIn("llmproxy_session", self.cookies)
        self.assertEqual(self.visit("/sign-in").status, 200)

    def test_odd_addresses(self) -> None:
        """An address that nobody's page has is explained without the words of the API, and leads to the list."""
        self.sign_in()
        for path in ("/projects", "/tokens", "/usage/records", "/audit"):
            for query in ("after=zzz", "search=" + "x" * 3000):
                shown = self.visit(f"{path}?{query}")
                with row(path, query[:10]):
                    self.assertNotIn("`", shown.text)
                    if path != "/audit" and shown.status != 200:
                        self.assertEqual(shown.status, 400)
                        self.assertIn("This address cannot be shown.", shown.text)
                        self.assertIn((f"/admin{path}", "Show all"), shown.page.links)

    def test_a_fault_of_ours(self) -> None:
        """A page that fails says so, and nothing of why: the log does."""
        self.sign_in()
        self.metrics.upstreams = lambda: 1 // 0
        shown = self.visit("/")
        self.assertEqual(shown.status, 500)
        self.assertNotIn("ZeroDivision", shown.body.decode())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_anywhere(self) -> None:
        """The pages may stand deeper in the tree of a site: all of their links lead there."""
        above = Resource()
        above.putChild(b"admin", self.pages)
        self._root = Resource()
        self._root.putChild(b"l m", above)
        shown = self.visit("http://proxy.example/l%20m/admin")
        self.assertEqual(shown.header("location"), "/l%20m/admin/")
        shown = self.visit("http://proxy.example/l%20m/admin/projects")
        self.assertEqual(shown.header("location"), "/l%20m/admin/sign-in?next=%2Fprojects")
        shown = self.visit("http://proxy.example/l%20m/admin/sign-in")
        links = [each.get("href") or each.get("action") or each.get("src") for _, each in shown.page.tags]
        self.assertEqual([each for each in links if each and not each.startswith(("/l%20m/admin/", "#"))], [])
