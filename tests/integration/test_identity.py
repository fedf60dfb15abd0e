"""People who sign in by a real OpenID provider, with a real browser, and callers with its access tokens."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from twisted.trial.unittest import SkipTest

from . import browser
from .browser import BrowserTestCase
from .oidcprovider import SECRET, OidcProvider, why_not
from .processes import LLMPROXY, MANAGEMENT_TOKEN, free_port, start

PATIENCE = 60.0

PEOPLE: dict[str, dict[str, Any]] = {
    "ann": {"name": "Ann", "email": "ann@example.com", "email_verified": True, "groups": ["admins", "eng"]},
    "bob": {"name": "Bob", "email": "bob@example.com", "email_verified": True, "groups": ["eng"]},
    "eve": {"name": "Eve", "email": "eve@example.com", "email_verified": False, "groups": []},
}

CONFIG = """
default_api: openai
apis:
  openai:
    base_url: http://127.0.0.1:{upstream}
    allowed_endpoints: [/v1/*]
    allowed_methods: [GET, POST]
identity:
  providers:
    - name: corp
      label: Corporate account
      issuer: {issuer}
      client_id: llmproxy
      client_secret: ${{OIDC_CLIENT_SECRET}}
      scopes: [openid, profile, email, groups]
      audiences: [llmproxy-api]
  rules:
    - {{match: {{groups: admins}}, role: owner}}
    - {{match: {{groups: eng}}, project: engineering, limits: {{rpm_limit: 1000}}}}
"""


class _Upstream(BaseHTTPRequestHandler):
    """Says what it was sent."""

    def do_GET(self) -> None:
        content = json.dumps([*sorted(self.headers.items()), ("target", self.path)]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        pass


class IdentityTests(BrowserTestCase):
    def setUp(self) -> None:
        if why_not() or browser.why_not():
            raise SkipTest(why_not() or browser.why_not())
        super().setUp()
        upstream = ThreadingHTTPServer(("127.0.0.1", 0), _Upstream)
        threading.Thread(target=upstream.serve_forever, daemon=True).start()
        self.addCleanup(upstream.server_close)
        self.addCleanup(upstream.shutdown)
        self.address = f"http://127.0.0.1:{free_port()}"
        self.provider = OidcProvider(self.mktemp(), self.address, PEOPLE)
        self.addCleanup(self.provider.stop)
        directory = self.directory = self.mktemp()
        os.mkdir(directory)
        config = CONFIG.format(upstream=upstream.server_port, issuer=self.provider.issuer)
        with open(os.path.join(directory, "apis.yaml"), "w") as file:
            file.write(config)
        listen = f"tcp:{self.address.rpartition(':')[2]}:interface=127.0.0.1"
        process = start(
            (*LLMPROXY, "serve", "--config", "apis.yaml", "--listen", listen, "--admin-ui", "--workers", "2"),
            directory,
            MANAGEMENT_TOKEN=MANAGEMENT_TOKEN,
            DATABASE_PATH="proxy.db",
            AUDIT_STORE_IN_DB="true",
            OIDC_CLIENT_SECRET=SECRET,
        )
        self.addCleanup(process.wait, 30)
        self.addCleanup(process.kill)
        self.until(lambda: self.is_ready())
        self.manage("POST", "/projects", {"name": "engineering", "api_key": "sk-upstream-key-0123456789"})

    # -- what a client does

    def until(self, condition: Any) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                if condition():
                    return
            except OSError:
                pass
            if time.monotonic() > end:
                with open(os.path.join(self.directory, "stderr")) as file:
                    raise AssertionError(file.read()[-3000:])
            time.sleep(0.1)

    def is_ready(self) -> bool:
        with urllib.request.urlopen(f"{self.address}/ready", timeout=30) as answer:
            return bool(answer.status == 200)

    def ask(self, method: str, path: str, token: str = "", body: Any = None, **more: str) -> tuple[int, Any]:
        content = None if body is None else json.dumps(body).encode()
        fields = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {}) | more
        request = urllib.request.Request(self.address + path, content, fields, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def manage(self, method: str, path: str, body: Any = None) -> Any:
        status, said = self.ask(method, f"/manage{path}", MANAGEMENT_TOKEN, body)
        self.assertIn(status, (200, 201, 204), said)
        return said

    def at_provider(self, page: Any, login: str) -> None:
        """Fill in the provider's own form."""
        page.fill("[name=login]", login)
        page.fill("[name=password]", "any")
        page.click("[type=submit]")

    def page(self) -> Any:
        page = self.open()
        # The provider's page asks for fonts of others.
        own = (self.address, self.provider.issuer)
        page.context.route(lambda url: not url.startswith(own), lambda route: route.abort())
        return page

    def _hold(self) -> None:
        """Pages are of two origins here; the policy of ours is kept all the same."""
        ours = [each for each in self.complaints if self.address in each]
        self.assertEqual(ours, [])

    def access_token(self, page: Any) -> str:
        """One that a program gets for the person whose browser this is: authorization code and PKCE."""
        verifier = base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "client_id": "cli",
            "response_type": "code",
            "redirect_uri": self.provider.cli,
            "scope": "openid use",
            "resource": "urn:llmproxy",
            "state": "s",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        page.goto(f"{self.provider.issuer}/auth?{urllib.parse.urlencode(asked)}")
        if "/interaction/" in page.url:
            raise AssertionError(page.content())
        code = urllib.parse.parse_qs(urllib.parse.urlsplit(page.url).query)["code"][0]
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.provider.cli,
            "code_verifier": verifier,
            "client_id": "cli",
            "resource": "urn:llmproxy",
        }
        with urllib.request.urlopen(
            f"{self.provider.issuer}/token", urllib.parse.urlencode(form).encode(), timeout=30
        ) as answer:
            token: str = json.loads(answer.read())["access_token"]
        return token

    # -- what is shown

    def test_owner(self) -> None:
        """To the provider and back to where they were going; out again here and there; the audit log names them."""
        page = self.page()
        page.goto(f"{self.address}/admin/tokens")
        self.assertEqual(self.axe(page), [])
        page.click("text=Sign in with Corporate account")
        self.at_provider(page, "ann")
        page.wait_for_url(f"{self.address}/admin/tokens")
        self.assertIn("corp:ann@example.com", page.inner_text("details.menu summary"))
        page.click("details.menu summary")
        page.click("text=Sign out >> nth=0")
        self.assertIn("You are signed out", page.inner_text("h1"))
        self.assertEqual(self.axe(page), [])
        page.click("text=Sign out of Corporate account too")
        page.click("[value=yes]")
        page.wait_for_url(f"{self.address}/admin/sign-in*")
        page.goto(f"{self.address}/admin/tokens")
        page.click("text=Sign in with Corporate account")
        self.assertTrue(page.is_visible("[name=login]"), "the provider has signed them out too")
        self.assertEqual(
            self.audited("session.create"), [("corp:ann@example.com", "success")], "the provider's word is noted"
        )

    def test_back_channel(self) -> None:
        """Who signs out at the provider is signed out here: the provider says so by itself."""
        page = self.signed_in_by("ann", "/sessions")
        page.goto(f"{self.provider.issuer}/session/end")
        page.click("[value=yes]")
        self.until(lambda: ("corp:back-channel", "success") in self.audited("session.end_all"))
        page.goto(f"{self.address}/admin/sessions")
        self.assertIn("/admin/sign-in", page.url)

    def test_refused(self) -> None:
        """Who has no role is not let in; the sentence says why, and the door for emergencies is noted as that."""
        page = self.page()
        page.goto(f"{self.address}/admin/sign-in/corp")
        self.at_provider(page, "bob")
        page.wait_for_url(f"{self.address}/admin/signed-in/**")
        self.assertIn("no rule of identity gives you a role", page.inner_text("[role=alert]"))
        # An answer that is shown again is worth nothing.
        page.reload()
        self.assertIn("not begun in this browser", page.inner_text("[role=alert]"))
        self.assertEqual({each[1] for each in self.audited("session.create")}, {"denied"})
        events = self.manage("GET", "/audit?limit=100")["events"]
        self.assertTrue(any("emergency_door" in each.get("metadata", "") for each in events), events)

    def test_callers(self) -> None:
        """An access token is taken as a token is, never sent on, and worth nothing once its owner is shut out."""
        page = self.signed_in_by("ann", "/")
        token = self.access_token(page)
        status, said = self.ask("GET", "/v1/x", token)
        self.assertEqual(status, 200, said)
        self.assertNotIn(token, json.dumps(said))
        self.assertEqual(dict(said)["Authorization"], "Bearer sk-upstream-key-0123456789")
        # Wherever a token stands; what the upstream is sent has none of it.
        for where, fields in (
            ("/v1/x", {"x-api-key": token}),
            ("/v1/x", {"x-goog-api-key": token}),
            ("/v1/x", {"api-key": token}),
            ("/v1/x", {"X-LLMProxy-Token": token}),
            ("/v1/x", {"Authorization": f"Bearer {token}", "x-api-key": "dummy"}),
            (f"/v1/x?key={token}&a=b", {}),
        ):
            status, said = self.ask("GET", where, **fields)
            self.assertEqual(status, 200, (where[:9], list(fields), said))
            self.assertNotIn(token.rpartition(".")[2], json.dumps(said), (where[:9], list(fields)))
        # At the management API too, by the role of its owner.
        self.assertEqual(self.ask("GET", "/manage/projects", token)[0], 200)
        head, claims, signature = token.split(".")
        none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').rstrip(b"=").decode()
        for forged in (f"{none}.{claims}.", f"{head}.{claims}.{signature[:-8]}AAAAAAAA", f"{head}.{claims}."):
            self.assertEqual(self.ask("GET", "/v1/x", forged)[0], 401, forged)
        people = self.manage("GET", "/people")
        self.assertEqual([each["email"] for each in people], ["ann@example.com"])
        self.manage("POST", f"/people/{people[0]['id']}/revoke")
        # In each of the processes.
        self.assertEqual({self.ask("GET", "/v1/x", token)[0] for _ in range(10)}, {401})
        page.goto(f"{self.address}/admin/sessions")
        self.assertIn("/admin/sign-in", page.url)

    def signed_in_by(self, login: str, path: str) -> Any:
        """A page of ours in the browser of somebody who has signed in by the provider."""
        page = self.page()
        page.goto(f"{self.address}/admin{path}")
        page.click("text=Sign in with Corporate account")
        self.at_provider(page, login)
        page.wait_for_url(f"{self.address}/admin{path}")
        return page

    def audited(self, action: str) -> list[tuple[str, str]]:
        events = self.manage("GET", "/audit?limit=100")["events"]
        return [(each["actor"], each["outcome"]) for each in events if each["action"] == action]
