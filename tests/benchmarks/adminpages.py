"""
What each admin page costs in front of 100,000 projects, 1,000,000 tokens and 10,000,000 records.

C{python -m tests.benchmarks.adminpages DIRECTORY [sqlite] [postgresql] [mysql]} makes the databases that are not there
yet (L{tests.benchmarks.manyrows}, which takes long), starts a proxy in front of each, and asks for every page as a
browser does. Printed are, of some rounds, the median of the milliseconds of a processor that the proxy took and the
database server besides, the statements to the database, and how many of these were made in the thread of the reactor,
which has to be none. The clock is printed too; other work on the machine changes it.
"""

from __future__ import annotations

import argparse
import http.client
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from glob import glob
from pathlib import Path
from urllib.parse import urlencode

from llmproxy.bench.proc import family

from ..integration.databases import KINDS
from ..integration.processes import MANAGEMENT_TOKEN, free_port, start
from . import manyrows
from .start import answers

ROUNDS = 5
PROGRAM = "from tests.benchmarks.adminpages import serve; serve()"
CONFIG = """\
default_api: openai
apis:
  openai: {base_url: http://127.0.0.1:9, allowed_endpoints: [/v1], allowed_methods: [GET, POST]}
  anthropic: {base_url: http://127.0.0.1:9, allowed_endpoints: [/v1], allowed_methods: [GET, POST]}
"""

PAGES = (
    *("/", "/?span=7d", "/?span=30d", "/?span=1y"),
    *("/projects", "/projects?sort=newest", "/projects?state=inactive"),
    *("/projects?search=checkout", "/projects?search=99999", "/projects?search=nothing+is+called+so"),
    *("/projects/project-7", "/projects/project-7?span=1y", "/projects/project-99998"),
    *("/projects/project-7/deactivate", "/projects/project-7/revoke-tokens", "/projects/project-7/edit"),
    *("/tokens", "/tokens?state=active", "/tokens?state=expired", "/tokens?state=revoked"),
    *("/tokens?search=checkout", "/tokens?search=0000012", "/tokens?search=nothing+is+called+so"),
    *("/tokens?search=chec", "/tokens?project=project-7", "/tokens?project=project-7&search=checkout"),
    *("/tokens/token-77", "/tokens/token-77?span=1y", "/tokens/token-77/edit", "/tokens/token-77/rotate"),
    *("/tokens/new", "/tokens/new?search=checkout", "/tokens/new?project=project-7"),
    *("/usage", "/usage?first=hour&span=7d", "/usage?first=project", "/usage?first=token", "/usage?first=model"),
    *("/usage?first=day&second=model", "/usage?first=project&second=model", "/usage?first=status&span=1y"),
    *("/usage/records", "/usage/records?span=1y", "/usage/records?project_id=project-7&span=30d"),
    *("/usage/records?model=model-3&span=30d", "/live", "/upstreams", "/cache", "/events"),
    *("/audit", "/audit?search=revoke", "/audit?search=request-12", "/audit?actor=admin-3&outcome=denied"),
    *("/audit?search=nothing+is+called+so", "/settings", "/sessions", "/display"),
)


def serve() -> None:
    """
    A proxy that writes a letter into the file C{STATEMENTS} for each statement to the database: C{r} in the thread of
    the reactor, C{d} in another.
    """
    import threading

    from sqlalchemy import event
    from sqlalchemy.engine import Engine
    from twisted.scripts.twistd import run

    notes = os.open(os.environ["STATEMENTS"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(*_: object) -> None:
        os.write(notes, b"r" if threading.current_thread() is threading.main_thread() else b"d")

    def listen() -> None:
        event.listen(Engine, "before_cursor_execute", note)

    from twisted.internet import reactor

    # What the start asks before it serves is not of a page.
    reactor.callWhenRunning(listen)  # type: ignore[attr-defined]
    run()


class Proxy:
    """A proxy in front of a database, and a browser that is signed in."""

    def __init__(self, url: str, directory: str, server: int) -> None:
        self._statements = Path(directory, "statements")
        self._server = server
        self._directory = directory
        Path(directory, "apis.yaml").write_text(CONFIG)
        more = {"DATABASE_URL": url} if "://" in url else {"DATABASE_URL": f"sqlite:///{url}"}
        port = free_port()
        listen = ("--listen", f"tcp:{port}:interface=127.0.0.1")
        command = (sys.executable, "-c", PROGRAM, "-n", "--pidfile", "", "llmproxy", "--config", "apis.yaml", *listen)
        self._process = start(
            (*command, "--admin-ui"),
            directory,
            MANAGEMENT_TOKEN=MANAGEMENT_TOKEN,
            STATEMENTS=str(self._statements),
            **more,
        )
        try:
            self._wait(port)
        except BaseException:
            self.stop()
            raise
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._origin = f"http://127.0.0.1:{port}"
        self._cookies: dict[str, str] = {}
        _, page = self.ask("/sign-in")
        csrf = re.search(r'name="csrf" value="([^"]+)"', page)
        assert csrf is not None, page
        status, page = self.ask("/sign-in", {"csrf": csrf[1], "token": MANAGEMENT_TOKEN, "zone": "Europe/Berlin"})
        assert status == 303, page

    def _wait(self, port: int) -> None:
        """The first start of a process in front of so many rows may take a while."""
        until = time.monotonic() + 600
        while not answers(port):
            if self._process.poll() is not None or time.monotonic() > until:
                raise SystemExit(Path(self._directory, "stdout").read_text()[-3000:])
            time.sleep(0.1)

    def ask(self, path: str, form: dict[str, str] | None = None) -> tuple[int, str]:
        fields = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        body = None
        if form is not None:
            body = urlencode(form)
            fields |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": self._origin}
        self._connection.request("GET" if form is None else "POST", "/admin" + path, body, fields)
        answer = self._connection.getresponse()
        content = answer.read().decode()
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                pair = value.partition(";")[0]
                self._cookies[pair.partition("=")[0]] = pair.partition("=")[2]
        return answer.status, content

    def statements(self) -> str:
        return self._statements.read_text() if self._statements.exists() else ""

    def worked(self) -> tuple[float, float]:
        """Milliseconds of a processor that the proxy has taken, and the database server."""
        return worked([self._process.pid]), worked(family([self._server])) if self._server else 0.0

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)


def worked(pids: Iterable[int]) -> float:
    """Milliseconds of a processor that all threads of some processes have taken, as the scheduler has counted them."""
    taken = 0
    for pid in pids:
        for path in glob(f"/proc/{pid}/task/*/schedstat"):
            with suppress(OSError):
                taken += int(Path(path).read_text().split()[0])
    return taken / 1e6


def measure(proxy: Proxy, rounds: int) -> Iterator[tuple[str, list[float]]]:
    """For each page: ms of the proxy and of the database, statements, those of the reactor, ms by the clock."""
    for path in PAGES:
        status, page = proxy.ask(path)
        if status != 200:
            print(f"{path}: {status}: {' '.join(re.sub('<[^>]*>', ' ', page).split())[:300]}", file=sys.stderr)
        ours, theirs, clock, counts = [], [], [], []
        reactor = 0
        for _ in range(rounds):
            before, noted, began = proxy.worked(), len(proxy.statements()), time.perf_counter()
            proxy.ask(path)
            clock.append((time.perf_counter() - began) * 1000)
            after, made = proxy.worked(), proxy.statements()[noted:]
            ours.append(after[0] - before[0])
            theirs.append(after[1] - before[1])
            counts.append(len(made))
            reactor += made.count("r")
        # What is done in the background meanwhile can only add.
        numbers = [statistics.median(ours), statistics.median(theirs), min(counts), reactor, statistics.median(clock)]
        yield path, [float(number) for number in numbers]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory")
    parser.add_argument("kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    for name, count in (("projects", manyrows.PROJECTS), ("tokens", manyrows.TOKENS)):
        parser.add_argument(f"--{name}", type=int, default=count)
    for name, count in (("records", manyrows.RECORDS), ("events", manyrows.EVENTS)):
        parser.add_argument(f"--{name}", type=int, default=count)
    options = parser.parse_args()
    directory = os.path.abspath(options.directory)
    for kind in options.kinds:
        manyrows.make(kind, directory, vars(options))
        with ExitStack() as stack:
            server = None if kind == "sqlite" else manyrows.server_at(kind, directory)
            url = f"{directory}/manyrows.db" if server is None else server.url("manyrows")
            if server is not None:
                stack.callback(server.stop)
            pid = 0 if server is None or server.process is None else server.process.pid
            proxy = Proxy(url, stack.enter_context(tempfile.TemporaryDirectory()), pid)
            stack.callback(proxy.stop)
            print(f"{kind:50}    proxy database  queries on the reactor   clock", flush=True)
            for path, (ours, theirs, count, reactor, clock) in measure(proxy, options.rounds):
                print(f"{path:50}{ours:9.0f}{theirs:9.0f}{count:9.0f}{reactor:15.0f}{clock:8.0f}", flush=True)


if __name__ == "__main__":
    main()
