"""C{llmproxy quickstart}: from nothing to a working proxy."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from zope.interface import implementer

from ..core.tokens import generate, token_hash
from ..errors import BadRequest, ConfigError, ProjectInactive
from ..interfaces import IRecordSink
from ..management.checks import check_api_key
from ..management.projects import ProjectRules, ProjectUpdate
from ..management.tokens import TokenRequest, TokenRules
from .datadirectory import DataDirectory
from .quickstart_settings import OPENAI, apis_of, endpoint, settings_of
from .target import DATA

if TYPE_CHECKING:
    from ..config import APIConfig
    from ..management.apikeys import Keys
    from ..record import Record
    from ..service import ProxyService

DAYS = 30.0


@click.command()
@click.option("--data", default="./llmproxy-data", show_default=True, help="Where everything is kept.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0 is any free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
def command(data: str, port: int, host: str) -> None:
    """Start a working proxy with nothing else needed.

    It makes a database, a management token, an encryption key, a project and a token, and prints how to use
    them. With OPENAI_API_KEY set it goes to OpenAI; without, to a demo upstream of its own. The next start
    goes on with what is there.

    \b
    Examples:
      llmproxy quickstart
      llmproxy quickstart --port 9000 --data /tmp/llmproxy
      OPENAI_API_KEY=$(cat key.txt) llmproxy quickstart
    """
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred

    from ..app.signals import ProcessSignals
    from .reactor import log_to_stderr, run_until_failure

    log_to_stderr("warn")
    starting = Quickstart(reactor, DataDirectory(data), host, port, os.environ.get("OPENAI_API_KEY", "").strip())
    ProcessSignals(reactor, starting, terminal=lambda: True).install()
    sys.exit(run_until_failure(reactor, lambda: Deferred.fromCoroutine(starting.start())))


class Quickstart:
    """
    @param openai_key: C{""} serves the demo upstream.
    """

    def __init__(self, reactor: Any, data: DataDirectory, host: str, port: int, openai_key: str) -> None:
        self._reactor = reactor
        self._data = data
        self._host = host
        self._port = port
        self._openai_key = openai_key
        self.service: ProxyService | None = None

    def end_drain(self) -> None:
        """See L{llmproxy.app.signals.Stoppable}."""
        if self.service is not None:
            self.service.end_drain()

    def reopen_logs(self) -> None:
        """See L{llmproxy.app.signals.Stoppable}."""
        if self.service is not None:
            self.service.reopen_logs()

    def upgrade(self) -> None:
        """It is started again as easily."""

    def reload(self) -> None:
        """Nobody has written its configuration."""

    async def start(self) -> str:
        """Start everything, print how to use it, and return the token."""
        _check_key(self._openai_key)
        self._data.make()
        key, base_url = self._openai_key, OPENAI
        if not key:
            key = self._data.kept("demo-upstream-key", lambda: "demo-" + os.urandom(12).hex())
            base_url = await self._demo(key)
        service = self._make(apis_of(base_url, demo=not self._openai_key))
        self._reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
        service.startService()
        try:
            ports = await service.started
        except ConfigError as error:
            raise _with_advice(error, self._port) from None
        secret = await self._token(service, key)
        host: Any = ports[0].getHost()
        address = f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{host.port}"
        self._data.keep("address", address)
        self._data.keep("upstream", base_url)
        click.echo(instructions(address, secret, base_url, self._data.path, bool(self._openai_key)))
        return secret

    async def _demo(self, key: str) -> str:
        from twisted.internet.endpoints import TCP4ServerEndpoint
        from twisted.web.server import Site

        from ..demo import DemoUpstream

        site = Site(DemoUpstream(self._reactor, key), reactor=self._reactor)
        site.noisy = False
        port = await TCP4ServerEndpoint(self._reactor, 0, interface="127.0.0.1").listen(site)
        self._reactor.addSystemEventTrigger("after", "shutdown", port.stopListening)
        return f"http://127.0.0.1:{port.getHost().port}"

    def _make(self, apis: APIConfig) -> ProxyService:
        from ..app.descriptors import raise_limit
        from ..app.settings import exposed
        from ..service import make_service

        raise_limit(apis.limits.connections)
        settings = settings_of(self._data, apis, [endpoint(self._host, self._port)])
        for sentence in exposed(settings):
            click.echo(f"warning: {sentence}", err=True)
        self.service = make_service(self._reactor, settings, record_sinks=[FirstAnswer(self._data.path)])
        return self.service

    async def _token(self, service: ProxyService, key: str) -> str:
        """The first project's token: the one that is kept, as long as it can be used."""
        state = service.proxy.foundation.management
        assert state is not None, "quickstart has a database"
        projects, keys = ProjectRules(state, service.proxy.generations), self._keys(service, key)
        secret = self._data.kept("token", lambda: generate(os.urandom))
        known = await state.tokens.by_hash(token_hash(secret.encode()))
        if known is None:
            return await _issue(TokenRules(state), await _project(projects, keys), secret)
        if known.is_active and (known.expires_at is None or known.expires_at > state.seconds()):
            await _update_keys(projects, known.project_id, keys)
            return secret
        return await _issue(TokenRules(state), known.project_id, self._data.keep("token", generate(os.urandom)))

    def _keys(self, service: ProxyService, key: str) -> dict[str, tuple[str, ...]]:
        """The demo upstream takes its key for both of its shapes."""
        return {api.name: (key,) for api in service.proxy.generations.current.table.apis}


@implementer(IRecordSink)
class FirstAnswer:
    """
    Says where usage is shown, once, when the first request has been answered.

    @param data: the directory of quickstart.
    """

    def __init__(self, data: str) -> None:
        self._data = data
        self._said = False

    def record_batch(self, records: Sequence[Record]) -> None:
        if not self._said and any(record.token_id and record.status < 400 for record in records):
            self._said = True
            click.echo(f"\nThe first request has been answered. What it used: {usage_command(self._data)}")


def usage_command(data: str) -> str:
    """What to type to see usage."""
    is_default = os.path.abspath(data) == os.path.abspath(DATA)
    return "llmproxy usage" + ("" if is_default else f" --data {shlex.quote(data)}")


def _check_key(key: str) -> None:
    try:
        check_api_key(key)
    except BadRequest as error:
        raise ConfigError(f"OPENAI_API_KEY: {error.message}") from None


async def _project(rules: ProjectRules, keys: Keys) -> str:
    for project in await rules.state.projects.list():
        if project.name == "quickstart":
            return project.id
    return (await rules.create("quickstart", "", keys)).id


async def _update_keys(rules: ProjectRules, project_id: str, keys: Keys) -> None:
    """Another C{OPENAI_API_KEY} than last time, or none any more."""
    project = await rules.state.projects.get(project_id)
    if project is not None and {**project.api_keys, **keys} != project.api_keys:
        await rules.change(project_id, ProjectUpdate(api_keys=keys))


async def _issue(rules: TokenRules, project_id: str, secret: str) -> str:
    try:
        await rules.issue(TokenRequest(project_id, DAYS * 86_400), secret)
    except ProjectInactive:
        click.echo("The project is not active: llmproxy project activate quickstart, and start again.", err=True)
    return secret


def _with_advice(error: ConfigError, port: int) -> ConfigError:
    if "cannot listen" not in str(error):
        return error
    return ConfigError(*error.problems, f"choose another port, for example: llmproxy quickstart --port {port + 1}")


def instructions(address: str, secret: str, base_url: str, data: str, real: bool) -> str:
    """What to paste."""
    model = "gpt-4o-mini" if real else "demo"
    upstream = base_url if real else f"a demo of our own ({base_url}); set OPENAI_API_KEY for the real one"
    return f"""
llmproxy serves {address}
  upstream      {upstream}
  kept in       {data}  (database, management token, encryption key, access and audit log)

With curl:

curl -N {address}/v1/chat/completions -H 'Authorization: Bearer {secret}' \\
  -H 'Content-Type: application/json' \\
  -d '{{"model": "{model}", "stream": true, "stream_options": {{"include_usage": true}},
       "messages": [{{"role": "user", "content": "Hello there"}}]}}'

With the OpenAI SDK (pip install openai):

from openai import OpenAI

client = OpenAI(base_url="{address}/v1", api_key="{secret}")
ask = [{{"role": "user", "content": "Hello there"}}]
usage = {{"include_usage": True}}
for event in client.chat.completions.create(model="{model}", stream=True, stream_options=usage, messages=ask):
    print(event.choices[0].delta.content or "" if event.choices else "", end="", flush=True)

Management: {address}/manage/projects with the token in {os.path.join(data, "management-token")}
Pages, for a browser, with the same token: {address}/admin
Usage and cost, when a request has been answered: {usage_command(data)}
Stop with Ctrl-C.
"""
