"""
Every command of the documents, as a reader types it: page by page, in one shell, beside a proxy.

What a page has for the reader to fill in (C{…}, ids, keys, port 8080) is filled in. A command that serves runs until
the end of its block, and has to serve. What the documents show of an output has to come, but for numbers and ids.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from twisted.trial.unittest import SynchronousTestCase

from ..documents.fences import ROOT, Block, Command, blocks, commands, missing, pages
from ..goschema import KEY as OLD_KEY
from ..goschema import make, rows
from .processes import environment, free_port
from .redisserver import MISSING as NO_REDIS
from .redisserver import RedisServer

TOKEN = "management-token-of-the-documents-0123456789"
PATIENCE = 120.0
"""Seconds that a command gets, on a machine that does much else."""

APIS = """\
default_api: openai
apis:
  openai: {{base_url: {upstream}, allowed_endpoints: [/v1], allowed_methods: [GET, POST], dialect: openai, cache: true}}
  anthropic: {{base_url: {upstream}, allowed_endpoints: [/v1/messages], allowed_methods: [POST], auth: x-api-key}}
  gemini: {{base_url: {upstream}, allowed_endpoints: [/v1beta], allowed_methods: [POST], auth: x-goog-api-key}}
"""
DISPATCHER = """\
redis: {url: 'redis://127.0.0.1:6379/0'}
sinks:
  - {name: copy, type: file, path: ./copy.jsonl}
"""

PROGRAMS = {
    "llmproxy": f'exec {shlex.quote(sys.executable)} -c "from llmproxy.cli import main; main()" "$@"',
    "llm-proxy": f'exec {shlex.quote(sys.executable)} -c "from llmproxy.cli import main; main()" "$@"',
    "twistd": f'exec {shlex.quote(sys.executable)} -c "from twisted.scripts.twistd import run; run()" "$@"',
    "python": f'exec {shlex.quote(sys.executable)} "$@"',
    "pass": "echo sk-of-the-password-manager-0123456789",
    "uuidgen": "cat /proc/sys/kernel/random/uuid",
}
"""Ours, and those that a reader has for secrets and the like."""

HELPERS = """
set -o pipefail
begin() { cd "$PLACE" && . ./variables; }
start_anew() { cd fresh && unset API_CONFIG_PATH DATABASE_PATH MANAGEMENT_TOKEN ENCRYPTION_KEY; }
stop_the_proxy() { kill $proxy && while kill -0 $proxy 2>/dev/null; do sleep 0.1; done; }
start_the_proxy() {
    llmproxy serve --config apis.yaml --listen 127.0.0.1:$port >/dev/null 2>&1 & proxy=$!
    until curl -s 127.0.0.1:$port/live; do kill -0 $proxy && sleep 0.1 || return; done
}
manage() { curl -sS -H "Authorization: Bearer $MANAGEMENT_TOKEN" -H 'Content-Type: application/json' "$@"; }
begin
"""
"""What blocks may be run first with; C{manage} is that of C{docs/management.md}."""

_SERVES = re.compile(
    r"(?:[A-Z_]+=(?:\$\(.*?\)|\S)+ )*"
    r"(?:twistd -n\b|llm-?proxy (?:serve|server|dispatcher|admin-ui|quickstart|demo-upstream)\b)"
)
_IDS = re.compile(r"\b[0-9a-f]{4,8}…")


def connects(address: str) -> bool:
    """Whether somebody listens at a port of this machine, or at a Unix socket."""
    family = socket.AF_UNIX if address.startswith("/") else socket.AF_INET
    with socket.socket(family) as probe:
        return probe.connect_ex(address if address.startswith("/") else ("127.0.0.1", int(address))) == 0


class Reader:
    """
    Somebody with a shell, in a directory of their own.

    @ivar port: of the proxy that runs beside the page.
    @ivar near: of the proxy that commands ask, this one or one that the page has started.
    @ivar beginning: what is typed before each block.
    @ivar own: where a proxy listens that the page itself starts, unless it says another place.
    """

    def __init__(self, test: SynchronousTestCase, page: str) -> None:
        # Sockets are made there, whose paths may be no longer than 107 bytes.
        self.place = Path(tempfile.mkdtemp(prefix="llmproxy-"))
        test.addCleanup(shutil.rmtree, self.place, ignore_errors=True)
        self.port, self.own, self.redis, upstream = free_port(), free_port(), 0, free_port()
        self.others: dict[str, int] = {}
        if "6379" in page:
            server = RedisServer().start()
            test.addCleanup(server.close)
            self.redis = server.port
        self._number = 0
        self.near, self.beginning = self.port, "begin"
        self._files(upstream)
        self._shell = subprocess.Popen(
            ["bash"], cwd=self.place, env=self._variables(), stdin=subprocess.PIPE, text=True, start_new_session=True
        )
        test.addCleanup(self._close)
        self.type(HELPERS)
        beside = [f"llmproxy demo-upstream --listen 127.0.0.1:{upstream} --pause 0.001"]
        beside.append(f"llmproxy serve --config apis.yaml --listen 127.0.0.1:{self.port} --admin-ui")
        for command, port in zip(beside, (upstream, self.port), strict=True):
            number, *_ = self.serve(command, [str(port)])
        self.type(f"proxy={number}; port={self.port}")
        self._fill()

    def _files(self, upstream: int) -> None:
        for name in ("bin", "home/.local/share/bash-completion/completions", "backup", "run", "old", "data", "fresh"):
            (self.place / name).mkdir(parents=True)
        for name, text in PROGRAMS.items():
            if name in ("pass", "uuidgen") and name != "pass" and shutil.which(name):
                continue
            path = self.place / "bin" / name
            path.write_text(f"#!/bin/sh\n{text}\n")
            path.chmod(0o755)
        make(str(self.place / "old" / "llm-proxy.db"), rows())
        key = b64encode(bytes(range(32))).decode()
        self.secrets = {"MANAGEMENT_TOKEN": TOKEN, "ENCRYPTION_KEY": key}
        files = {
            "apis.yaml": APIS.format(upstream=f"http://127.0.0.1:{upstream}"),
            "dispatcher.yaml": DISPATCHER.replace("6379", str(self.redis)),
            ".env": "".join(f"{name}={value}\n" for name, value in self.secrets.items())
            + f"DATABASE_PATH={self.place}/data/llm-proxy.db\nAPI_CONFIG_PATH={self.place}/apis.yaml\n",
            "old.key": b64encode(OLD_KEY).decode(),
            "pg.url": f"sqlite:///{self.place}/data/another.db",
            "anthropic.key": "sk-ant-0123456789",
            "lunary.key": "lunary-0123456789",
        }
        files["variables"] = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in self._ours().items())
        for name, text in files.items():
            (self.place / name).write_text(text)
            (self.place / name).chmod(0o600)

    def _variables(self) -> dict[str, str]:
        return environment(
            PATH=f"{self.place}/bin:{os.environ['PATH']}", HOME=f"{self.place}/home", PLACE=str(self.place)
        )

    def _ours(self) -> dict[str, str]:
        """What each block begins with."""
        return self.secrets | {
            "API_CONFIG_PATH": f"{self.place}/apis.yaml",
            "DATABASE_PATH": f"{self.place}/data/llm-proxy.db",
            "LISTEN_ADDR": f"127.0.0.1:{self.own}",
            "MANAGE_API_BASE_URL": f"http://127.0.0.1:{self.port}",
            "PROXY_URL": f"http://127.0.0.1:{self.port}",
        }

    def _fill(self) -> None:
        """What a reader of the page has already: two projects and a token."""
        keys = {"openai": "demo", "anthropic": "demo", "gemini": "demo"}
        project = self._manage("projects", name="search", api_keys=keys)
        self._manage("projects", name="team-a", api_keys=keys)
        made = self._manage("tokens", project_id=project["id"], duration_minutes=60, name="ci", max_requests=1000)
        self.project, self.token_id = project["id"], made["id"]
        (self.place / "token.txt").write_text(made["token"])
        (self.place / "token.txt").chmod(0o600)
        self.type(f"project={self.project}; TOKEN=$(cat token.txt)")

    def _manage(self, what: str, **body: Any) -> Any:
        fields = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        request = Request(f"http://127.0.0.1:{self.port}/manage/{what}", json.dumps(body).encode(), fields)
        with urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def typed(self, text: str, port: int) -> str:
        """A command with what the reader fills in."""
        for before, after in {
            "MANAGEMENT_TOKEN=…": f"MANAGEMENT_TOKEN={TOKEN}",
            'project_id": "…': f'project_id": "{self.project}',
            "projectId=…": f"projectId={self.project}",
            "/projects/…": f"/projects/{self.project}",
            "/tokens/…": f"/tokens/{self.token_id}",
            "sk-ant-…": "sk-ant-0123456789",
            "sk-…": "sk-0123456789",
            "AIza…": "AIza0123456789",
            "localhost:8080": f"127.0.0.1:{port}",
            "tcp:8080": f"tcp:{self.own}:interface=127.0.0.1",
            "localhost:6379": f"127.0.0.1:{self.redis}",
            "llmproxy quickstart": f"llmproxy quickstart --port {self.own}",
            "https://llm.example.com": f"http://127.0.0.1:{self.port}",
            "/run/llmproxy/": f"{self.place}/run/",
            "/backup/": f"{self.place}/backup/",
        }.items():
            text = text.replace(before, after)
        text = re.sub(r"(?<=[ :])(?:localhost|127\.0\.0\.1)?:(9000|8081|9200)\b", self._other, text)
        return _IDS.sub(self.token_id, text)

    def _other(self, found: re.Match[str]) -> str:
        return f"127.0.0.1:{self.others.setdefault(found[1], free_port())}"

    def type(self, command: str, status: tuple[int, ...] = (0,)) -> str:
        """Type a command; what it says. It is an error if it ends with none of these."""
        out, ended = self._outputs()
        self._send(f"{{ {command}\n}} >{out} 2>&1 </dev/null; echo $? >{ended}.new; mv {ended}.new {ended}")
        self._wait(ended.exists, command, out)
        found = int(ended.read_text())
        if found not in status:
            raise AssertionError(f"{command}\nended with {found}:\n{out.read_text()}")
        return out.read_text()

    def serve(self, command: str, places: list[str]) -> tuple[int, str, Path]:
        """Start a command that serves, and wait until all of these places answer."""
        out, pid = self._outputs()
        self._send(f"{command} >{out} 2>&1 </dev/null & echo $! >{pid}.new; mv {pid}.new {pid}")
        self._wait(pid.exists, command, out)
        number = int(pid.read_text())

        def ready() -> bool:
            if not _runs(number):
                raise AssertionError(f"{command}\nended:\n{out.read_text()}")
            return all(map(connects, places)) and (bool(places) or bool(out.read_text().strip()))

        self._wait(ready, command, out)
        return number, command, out

    def stop(self, number: int, command: str, out: Path) -> None:
        """End what serves, as a supervisor does."""
        if not _runs(number):
            raise AssertionError(f"{command}\nended by itself:\n{out.read_text()}")
        os.kill(number, signal.SIGTERM)
        self._wait(lambda: not _runs(number), command, out)

    def goes_on(self, number: int, command: str, out: Path) -> None:
        """The rest of the page is read beside what serves here."""
        self.near = self.own
        self.beginning = "begin; start_anew; unset MANAGE_API_BASE_URL PROXY_URL"

    def _outputs(self) -> tuple[Path, Path]:
        self._number += 1
        return self.place / f"out.{self._number}", self.place / f"end.{self._number}"

    def _send(self, text: str) -> None:
        assert self._shell.stdin is not None
        self._shell.stdin.write(text + "\n")
        self._shell.stdin.flush()

    def _wait(self, done: Any, command: str, out: Path) -> None:
        until = time.monotonic() + PATIENCE
        while not done():
            if time.monotonic() > until or self._shell.poll() is not None:
                raise AssertionError(f"{command}\nhas not come to its end:\n{out.read_text() if out.exists() else ''}")
            time.sleep(0.05)

    def _close(self) -> None:
        """The shell, and all that it started."""
        os.killpg(self._shell.pid, signal.SIGTERM)
        assert self._shell.stdin is not None
        self._shell.stdin.close()
        until = time.monotonic() + 30.0
        while _group_runs(self._shell.pid) and time.monotonic() < until:
            self._shell.poll()
            time.sleep(0.05)
        if _group_runs(self._shell.pid):
            os.killpg(self._shell.pid, signal.SIGKILL)
        self._shell.wait(30)


def _runs(number: int) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _group_runs(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


class DocumentTests(SynchronousTestCase):
    def page(self, path: Path) -> None:
        text = path.read_text("utf-8")
        if "6379" in text and NO_REDIS:
            self.skipTest(NO_REDIS)  # type: ignore[no-untyped-call]
        lacking = [name for name in ("curl", "git", "jq") if f"{name} " in text and not shutil.which(name)]
        if lacking:
            self.skipTest(f"{', '.join(lacking)} is not installed")  # type: ignore[no-untyped-call]
        reader = Reader(self, text)
        wrong = []
        for block in blocks(text):
            if block.kind == "console" and not block.unless and not block.elsewhere:
                try:
                    self.block(reader, block)
                except AssertionError as error:
                    wrong.append(f"{path.name}:{block.line}: {error}")
        if wrong:
            self.fail("\n\n".join(wrong))  # type: ignore[no-untyped-call]

    def block(self, reader: Reader, block: Block) -> None:
        reader.type(reader.beginning)
        if block.first:
            reader.type(reader.typed(block.first, reader.near))
        port, serving = reader.near, None
        for command in commands(block.text):
            if not _SERVES.match(command.text):
                self.ends(reader, command, port, block.status)
                continue
            if serving:
                reader.stop(*serving)
            serving, port = self.serves(reader, command)
        if serving and block.goes_on:
            reader.goes_on(*serving)
        elif serving:
            reader.stop(*serving)

    def ends(self, reader: Reader, command: Command, port: int, status: tuple[int, ...]) -> None:
        output = reader.type(reader.typed(command.text, port), status)
        lacking = missing(command.shown, output)
        if lacking:
            raise AssertionError(f"{command.text}\nis said to show:\n{lacking}\nand shows:\n{output}")

    def serves(self, reader: Reader, command: Command) -> tuple[tuple[int, str, Path], int]:
        """Start it; where what follows in the block finds a proxy."""
        text = reader.typed(command.text, reader.near)
        asked = re.findall(r"--(?:manage-)?listen (?:unix:)?(?:tcp:)?([\w./:-]+)", text)
        places = [each if each.startswith("/") else re.findall(r"\d{4,5}", each)[0] for each in asked]
        is_proxy = any(word in text for word in ("serve", "twistd", "quickstart"))
        if is_proxy and " --listen" not in text:
            places.append(str(reader.own))
        serving = reader.serve(text, places)
        if not is_proxy:
            return serving, reader.near
        reader.type(f"export MANAGE_API_BASE_URL=http://127.0.0.1:{reader.own} PROXY_URL=http://127.0.0.1:{reader.own}")
        return serving, reader.own


def _case(path: Path) -> Any:
    def test(self: DocumentTests) -> None:
        self.page(path)

    test.__doc__ = f"Every command of {path.relative_to(ROOT)} does what is said of it."
    return test


for _path in pages():
    _all = blocks(_path.read_text("utf-8"))
    if any(each.kind == "console" and not each.unless and not each.elsewhere for each in _all):
        setattr(DocumentTests, f"test_{_path.stem.lower().replace('-', '_')}", _case(_path))
