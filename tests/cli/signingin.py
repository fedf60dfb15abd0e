"""A proxy in memory where people sign in, and commands that ask it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from email.message import Message
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from treq.testing import StubTreq
from twisted.web.resource import Resource

from llmproxy.cli.faults import Unreachable
from llmproxy.cli.http import Address, Answer
from llmproxy.cli.main import cli
from llmproxy.store.devicetables import device_grants
from llmproxy.web.agents.oauth import DeviceAuthorization, Metadata, Revocation, TokenEndpoint

from ..web.agents.oauthcase import OAuthTestCase

URL = "https://proxy.example"


class SigningInTestCase(OAuthTestCase):
    """
    @ivar decisions: what happens while a program waits, one after the other.
    @ivar away: the proxy cannot be reached.
    """

    def setUp(self) -> None:
        super().setUp()
        self.public_url = URL
        root, below, oauth = Resource(), Resource(), Resource()
        root.putChild(b".well-known", below)
        below.putChild(b"oauth-authorization-server", self.made(Metadata))
        root.putChild(b"oauth", oauth)
        oauth.putChild(b"device_authorization", self.made(DeviceAuthorization))
        oauth.putChild(b"token", self.made(TokenEndpoint, 1000))
        oauth.putChild(b"revoke", self.made(Revocation))
        self.root = root
        self.home = Path(self.mktemp()).absolute()
        self.file = self.home / "below" / "credentials.json"
        self.decisions: list[Any] = []
        self.away = False
        self.asked: list[str] = []
        self.slept: list[float] = []
        self.patch(time, "time", self.clock.seconds)
        self.patch(time, "sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(seconds)
        if self.decisions:
            self.decisions.pop(0)()

    def opened(self, address: Address, timeout: float) -> Any:
        return InMemory(self, address)

    def run_with(self, *words: str, status: int = 0, **env: str) -> Result:
        clean = {"LLMPROXY_URL": None, "XDG_CONFIG_HOME": None, "DISPLAY": None, "WAYLAND_DISPLAY": None}
        known = {**clean, "HOME": str(self.home), "LLMPROXY_CREDENTIALS": str(self.file), "PATH": os.defpath, **env}
        result = CliRunner().invoke(cli, words, env=known, obj=self.opened)
        self.assertEqual(result.exit_code, status, result.output)
        return result

    def code(self) -> str:
        """The id of the program that waits."""

        rows = self.successResultOf(
            self.database.read(lambda connection: connection.execute(device_grants.select()).all())
        )
        [row] = [each for each in rows if each.state == "pending"]
        found: str = row.id
        return found

    def let_in(self, allow: bool = True) -> None:
        deciding = self.devices._store.decide(self.code(), self.ann.id, allow)
        self.assertTrue(self.successResultOf(deciding))

    def login(self, **env: str) -> Result:
        self.decisions = [self.let_in]
        return self.run_with("login", "--url", URL, "--device-name", "laptop", **env)


class InMemory:
    def __init__(self, test: SigningInTestCase, address: Address) -> None:
        self._test = test
        self._address = address

    def ask(self, method: str, path: str, fields: Mapping[str, str], body: bytes | None = None) -> Answer:
        test = self._test
        test.asked.append(f"{method} {path}")
        if test.away:
            raise Unreachable(f"{self._address.text}: cannot be reached")
        client = StubTreq(test.root)
        more = {} if body is None else {"data": body}
        url = f"http://{self._address.host}{self._address.path}{path}"
        asking = client.request(method, url, headers=dict(fields), **more)
        client.flush()
        response = test.successResultOf(asking)
        return Answer(response.code, Message(), test.successResultOf(client.content(response)))  # type: ignore[arg-type]
