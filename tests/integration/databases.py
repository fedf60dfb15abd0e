"""
Database servers of the test run's own, and what can be done to them.

The first test that asks for a kind starts its server, in a temporary directory and on a free port; the
end of the process ends it, however the process ends. Their clocks are far from UTC on purpose.
"""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from glob import glob
from itertools import count
from pathlib import Path
from typing import Any
from unittest import SkipTest

from sqlalchemy import create_engine, delete, insert, text
from sqlalchemy.pool import NullPool

from llmproxy.store.backend import locate
from llmproxy.store.database import Database
from llmproxy.store.engine import open_database
from llmproxy.store.schema import counters, metadata
from llmproxy.store.threads import NoThreads

from ..store.databases import BINDING, KEY, clock_at
from .processes import free_port

KINDS = ("sqlite", "postgresql", "mysql")
PATIENCE = 60.0
_PARENT = ThreadPoolExecutor(1)
"""A thread that lasts: the kernel ends servers when the thread ends that started them."""

_BINARIES = "/usr/lib/postgresql/*/bin"


class Server:
    """
    One server process.

    @cvar package: what brings its binary.
    """

    package = ""
    user = ""
    scheme = ""

    def __init__(self) -> None:
        # Not below the current directory, which the server's user may not be allowed to enter.
        self.directory = Path(tempfile.mkdtemp(prefix="llmproxy-"))
        self.data = self.directory / "data"
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._names = count()
        atexit.register(self.remove)
        if os.geteuid() == 0:
            owner = pwd.getpwnam(self.user)
            os.chown(self.directory, owner.pw_uid, owner.pw_gid)
        self.initialise()
        self.start()

    def initialise(self) -> None:
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def url(self, database: str) -> str:
        return f"{self.scheme}://llmproxy:s3cret-canary@127.0.0.1:{self.port}/{database}"

    def root(self) -> str:
        raise NotImplementedError

    def run(self, *command: str) -> None:
        with open(self.directory / "log", "ab") as log:
            subprocess.run(self._as_user(command), stdout=log, stderr=log, cwd="/", check=True)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with open(self.directory / "log", "ab") as log:
            command = self._as_user(self.command())
            self.process = _PARENT.submit(subprocess.Popen, command, stdout=log, stderr=log, cwd="/").result()
        until = time.monotonic() + PATIENCE
        while not self._answers():
            if time.monotonic() > until or self.process.poll() is not None:
                raise AssertionError((self.directory / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.05)

    def stop(self, how: int = signal.SIGINT) -> None:
        """End it; SIGINT lets PostgreSQL end the sessions, MariaDB knows SIGTERM for that."""
        if self.process is not None:
            self.resume()
            self.process.send_signal(how)
            self.process.wait(PATIENCE)
            self.process = None

    def pause(self) -> None:
        """From now on it keeps its connections, takes new ones, and says nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def remove(self) -> None:
        if self.process is not None:
            self._signal(signal.SIGKILL)
            self.process.wait(PATIENCE)
            self.process = None
        shutil.rmtree(self.directory, ignore_errors=True)

    def execute(self, statement: str) -> None:
        engine = create_engine(self.root(), poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))

    def new_database(self) -> str:
        """The URL of a database without tables."""
        name = f"test{next(self._names)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def _answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except Exception:
            return False
        return True

    def _as_user(self, command: Any) -> list[str]:
        """PostgreSQL does not run as root; and nothing is to outlive the tests, not even killed ones."""
        who = ["--reuid", self.user, "--regid", self.user, "--clear-groups"] if os.geteuid() == 0 else []
        return ["setpriv", *who, "--pdeathsig", "KILL", *command]

    def _signal(self, number: int) -> None:
        assert self.process is not None
        for pid in [self.process.pid, *_children(self.process.pid)]:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass


class PostgreSQL(Server):
    package = "postgresql"
    user = "postgres"
    scheme = "postgresql"

    def initialise(self) -> None:
        self.run(_binary("initdb", self.package), "-D", str(self.data), "-U", "root", "-A", "trust", "-E", "UTF8", "-N")

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.directory),
            "timezone": "America/New_York",
            "fsync": "off",
            "max_connections": "200",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [_binary("postgres", self.package), "-D", str(self.data), "-p", str(self.port), *options]

    def root(self) -> str:
        return f"postgresql+psycopg://root@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        first = self.process is None and not (self.directory / "user").exists()
        super().start()
        if first:
            self.execute("CREATE ROLE llmproxy LOGIN SUPERUSER PASSWORD 's3cret-canary'")
            (self.directory / "user").touch()


class MariaDB(Server):
    package = "mariadb-server"
    user = "mysql"
    scheme = "mysql"

    def initialise(self) -> None:
        _binary("mariadbd", self.package)
        script = _binary("mariadb-install-db", self.package)
        more = ("--auth-root-authentication-method=normal", "--skip-test-db")
        self.run(script, "--no-defaults", f"--datadir={self.data}", *more)

    def command(self) -> list[str]:
        options = {
            "datadir": self.data,
            "socket": self.directory / "sock",
            "pid-file": self.directory / "pid",
            "port": self.port,
            "bind-address": "127.0.0.1",
            "default-time-zone": "+09:00",
            "innodb-flush-log-at-trx-commit": 2,
            "innodb-buffer-pool-size": "64M",
            "max-connections": 200,
        }
        return [_binary("mariadbd", self.package), "--no-defaults", *(f"--{n}={v}" for n, v in options.items())]

    def root(self) -> str:
        return f"mysql+pymysql://root@127.0.0.1:{self.port}/mysql"

    def start(self) -> None:
        first = self.process is None and not (self.directory / "user").exists()
        super().start()
        if first:
            self.execute("CREATE USER llmproxy IDENTIFIED BY 's3cret-canary'")
            self.execute("GRANT ALL ON *.* TO llmproxy")
            (self.directory / "user").touch()

    def stop(self, how: int = signal.SIGTERM) -> None:
        super().stop(how)


_MAKERS: dict[str, Callable[[], Server]] = {"postgresql": PostgreSQL, "mysql": MariaDB}
_servers: dict[str, Server] = {}


def server(kind: str) -> Server:
    """
    The test run's server of a kind.

    @raise SkipTest: it is not installed.
    """
    if kind not in _servers:
        _servers[kind] = _MAKERS[kind]()
    return _servers[kind]


def new_database(test: Any, kind: str) -> str:
    """The URL of a database of some kind, without tables."""
    return f"sqlite:///{os.path.abspath(test.mktemp())}" if kind == "sqlite" else server(kind).new_database()


_migrated: dict[str, str] = {}


def clean_database(test: Any, kind: str) -> str:
    """The URL of a database that has the tables and no rows; the next test that asks gets the same one again."""
    if kind == "sqlite":
        return new_database(test, kind)
    if kind not in _migrated:
        url = new_database(test, kind)
        database = open_database(clock_at(), url, threads=NoThreads)
        test.successResultOf(database.start())
        test.successResultOf(database.close())
        _migrated[kind] = url
    engine = locate(_migrated[kind], 1).engine()
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(delete(table))
        connection.execute(insert(counters).values(name="changes", value=0))
    engine.dispose()
    return _migrated[kind]


def opened_at(test: Any, url: str, *, key: bytes | None = KEY, clock: Any = None) -> Database:
    """A started database, in the thread of the test, closed when the test ends."""
    database = open_database(clock or clock_at(), url, encryption_key=key, threads=NoThreads, binding=BINDING)
    test.successResultOf(database.start())
    test.addCleanup(lambda: test.successResultOf(database.close()))
    return database


def _binary(name: str, package: str) -> str:
    places = os.pathsep.join([*sorted(glob(_BINARIES), reverse=True), os.environ.get("PATH", ""), "/usr/sbin"])
    found = shutil.which(name, path=places)
    if found is None:
        raise SkipTest(f"{name} is not installed: apt-get install {package}")
    return found


def _children(pid: int) -> list[int]:
    found = []
    for stat in glob("/proc/[0-9]*/stat"):
        try:
            fields = Path(stat).read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.split("/")[2]))
    return found
