"""The run: a proxy, its clients, and what happens to it meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from http.client import HTTPSConnection
from typing import Any

from attrs import define

from tests.integration.certificates import Authority
from tests.integration.processes import LLMPROXY, MANAGEMENT_TOKEN, ROOT, environment, free_port, start

from .clients import Client, Options, Tally, requests, streams

CONFIG = """default_api: x
apis:
  x:
    base_url: http://127.0.0.1:{upstream}/{number}
    allowed_endpoints: [/v1]
    allowed_methods: [GET]
    auth: none
tls:
  certificates: [{{cert: cert.pem, key: key.pem}}]
"""

PATIENCE = 240.0
"""Seconds, beyond which something hangs; a busy machine takes half a minute to start a program."""


@define
class Outcome:
    """
    @ivar happened: how often each thing happened and was seen to have had its effect.
    """

    tally: Tally
    happened: dict[str, int]
    status: int
    seconds: float


class Run:
    """
    @param directory: where everything is written; it is there.
    """

    def __init__(self, options: Options, directory: str) -> None:
        self.options = options
        self.directory = os.path.abspath(directory)
        self.port = free_port()
        self.authority = Authority(os.path.join(self.directory, "authority"))
        self.happened = {"reloads": 0, "certificates": 0, "upgrades": 0}

    def run(self) -> Outcome:
        began = time.monotonic()
        upstream = subprocess.Popen(
            [sys.executable, "-m", "tests.gaprun.upstream"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=environment(),
            text=True,
        )
        assert upstream.stdout is not None
        self.upstream = int(upstream.stdout.readline())
        proxy = None
        try:
            self.certify()
            self.configure(0)
            listen = ("--listen", f"tls:{self.port}:interface=127.0.0.1", "--workers", str(self.options.workers))
            self.proxy = proxy = start(
                (*LLMPROXY, "serve", "--config", "apis.yaml", "--access-log", "access.log", *listen),
                self.directory,
                MANAGEMENT_TOKEN=MANAGEMENT_TOKEN,
                DATABASE_PATH="proxy.db",
                AUDIT_ENABLED="false",
            )
            # All workers serve by then.
            self.until(lambda: "workers: " in self.said())
            project: Any = self.manage("POST", "/projects", {"name": "p", "api_key": "sk-upstream-key-0123456789"})
            made: Any = self.manage("POST", "/tokens", {"project_id": project["id"], "duration_minutes": 600})
            tally = asyncio.run(self.load(made["token"]))
            proxy.terminate()
            return Outcome(tally, self.happened, proxy.wait(PATIENCE), time.monotonic() - began)
        finally:
            if proxy is not None:
                proxy.kill()
                proxy.wait(PATIENCE)
            assert upstream.stdin is not None
            upstream.stdin.close()
            upstream.wait(PATIENCE)
            upstream.stdout.close()

    async def load(self, token: str) -> Tally:
        """Have all clients ask while things happen."""
        options, tally, stop = self.options, Tally(), asyncio.Event()
        made = [Client(self.port, self.context(), token, tally, keeps=bool(at % 2)) for at in range(options.clients)]
        streaming = [Client(self.port, self.context(), token, tally) for _ in range(max(1, options.clients // 2))]
        tasks = [asyncio.create_task(requests(each, tally, options, stop)) for each in made]
        tasks += [asyncio.create_task(streams(each, tally, options, stop)) for each in streaming]
        try:
            await asyncio.get_running_loop().run_in_executor(None, self.happen)
        finally:
            stop.set()
            await asyncio.gather(*tasks)
        return tally

    def happen(self) -> None:
        """Everything, one after the other; the kinds are mixed."""
        options = self.options
        kinds: list[tuple[str, Callable[[], None]]] = [
            *[("reloads", self.reload)] * options.reloads,
            *[("certificates", self.renew)] * options.certificates,
            *[("upgrades", self.upgrade)] * options.upgrades,
        ]
        # Every third or so is one of the rare ones.
        kinds.sort(key=lambda kind: hash((kind[0], self.happened[kind[0]])) % 7)
        for name, happen in kinds:
            happen()
            self.happened[name] += 1
            time.sleep(0.5)

    def reload(self) -> None:
        number = self.happened["reloads"] + 1
        self.configure(number)
        self.proxy.send_signal(signal.SIGHUP)
        self.until(lambda: self.number() == str(number))

    def renew(self) -> None:
        before = self.serial()
        self.certify()
        self.until(lambda: self.serial() not in ("", before))

    def upgrade(self) -> None:
        served = self.serving()
        self.proxy.send_signal(signal.SIGUSR2)
        self.until(lambda: not served & self.serving())

    def serving(self) -> set[str]:
        """The processes that the one that we know has for children."""
        pid = self.proxy.pid
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            found = set(file.read().split())
        with open(f"/proc/{pid}/cmdline") as file:
            waits = "waiter" in file.read()
        return found if self.options.workers > 1 or waits else {str(pid)}

    # -- the proxy

    def configure(self, number: int) -> None:
        path = os.path.join(self.directory, "apis.yaml")
        with open(f"{path}.new", "w") as file:
            file.write(CONFIG.format(upstream=self.upstream, number=number))
        os.replace(f"{path}.new", path)

    def number(self) -> str:
        """That of the configuration which is served; C{""} where nobody answers."""
        found = self.manage("GET", "/config")
        return "" if found is None else found["configuration"]["apis"]["x"]["base_url"].rpartition("/")[2]

    def certify(self) -> None:
        for what, path in zip(("cert", "key"), self.authority.issue("localhost"), strict=True):
            new = os.path.join(self.directory, f"{what}.pem")
            shutil.copy(path, f"{new}.new")
            os.replace(f"{new}.new", new)

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.authority.ca_file)

    def serial(self) -> str:
        """The number of the certificate that is served; C{""} where nobody listens."""
        connection = HTTPSConnection("localhost", self.port, timeout=PATIENCE, context=self.context())
        try:
            connection.connect()
            found: Any = connection.sock
            return str(found.getpeercert()["serialNumber"])
        except OSError:
            return ""
        finally:
            connection.close()

    def manage(self, method: str, path: str, body: Any = None) -> Any:
        """What the management API says; C{None} where it does not answer."""
        connection = HTTPSConnection("localhost", self.port, timeout=PATIENCE, context=self.context())
        fields = {"Authorization": f"Bearer {MANAGEMENT_TOKEN}"}
        try:
            connection.request(method, f"/manage{path}", None if body is None else json.dumps(body), fields)
            return json.loads(connection.getresponse().read())
        except OSError:
            return None
        finally:
            connection.close()

    def until(self, condition: Callable[[], bool]) -> None:
        ends = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > ends or self.proxy.poll() is not None:
                raise AssertionError(self.said())
            time.sleep(0.05)

    def said(self) -> str:
        with open(os.path.join(self.directory, "stderr")) as file:
            return file.read()
