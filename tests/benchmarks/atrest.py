"""
Where the memory of a proxy at rest is: C{python -m tests.benchmarks.atrest}.

It runs C{twistd llmproxy} with its defaults in a process of its own, which notes what memory the system says that it
has (C{statm}) before and after each import. What a module imports counts for that one; what several import, for
whoever was first. What is left when all have been imported is what running takes.
"""

from __future__ import annotations

import argparse
import importlib.machinery
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

PARTS = (
    ("TLS: cryptography, pyOpenSSL, service_identity, ssl", ("cryptography", "OpenSSL", "service_identity", "ssl",
     "_ssl", "_hashlib", "_cffi_backend", "twisted.internet._sslverify", "twisted.internet.ssl")),
    ("SQLAlchemy and sqlite3", ("sqlalchemy", "sqlite3", "_sqlite3")),
    ("Twisted", ("twisted", "zope", "constantly", "incremental", "automat", "hyperlink", "idna", "h2", "hpack",
     "hyperframe", "priority")),
    ("treq, YAML, attrs, msgspec, llhttp", ("treq", "multipart", "yaml", "attr", "attrs", "msgspec", "httptools")),
    ("llmproxy", ("llmproxy",)),
)  # fmt: skip
"""What the table tells apart, by the beginnings of names; all others are the standard library."""

MIB = 2**20
PAGE = os.sysconf("SC_PAGE_SIZE")


def memory() -> tuple[int, int]:
    """Bytes that are resident, and those of them that no file has."""
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * PAGE, (int(fields[1]) - int(fields[2])) * PAGE


class Importing:
    """
    Notes what imports take.

    @ivar taken: bytes by module, without those of what it imports itself.
    """

    def __init__(self) -> None:
        self.taken: dict[str, int] = {}
        self._inner = [0]
        self.before = memory()[0]
        self._watch(importlib.machinery.SourceFileLoader, "exec_module", lambda module: module.__name__)
        self._watch(importlib.machinery.ExtensionFileLoader, "create_module", lambda spec: spec.name)
        self._watch(importlib.machinery.ExtensionFileLoader, "exec_module", lambda module: module.__name__)

    def _watch(self, loader: Any, method: str, name_of: Callable[[Any], str]) -> None:
        original = getattr(loader, method)

        def watched(itself: Any, what: Any) -> Any:
            began = memory()[0]
            self._inner.append(0)
            try:
                return original(itself, what)
            finally:
                taken, inner, name = memory()[0] - began, self._inner.pop(), name_of(what)
                self._inner[-1] += taken
                self.taken[name] = self.taken.get(name, 0) + taken - inner

        setattr(loader, method, watched)


def part_of(name: str) -> str:
    for part, beginnings in PARTS:
        if any(name == each or name.startswith(f"{each}.") for each in beginnings):
            return part
    return "the standard library"


def watch() -> None:
    """The process itself: run twistd, and tell what was noted once it serves."""
    importing = Importing()
    from llmproxy.app import gctuning as resting
    from llmproxy.app import startup as starting

    def tell() -> None:
        full = memory()
        resting.give_back()
        numbers = {"before": importing.before, "taken": importing.taken, "full": full, "left": memory()}
        Path("numbers.json").write_text(json.dumps(numbers))
        os.kill(os.getpid(), 15)

    starting.give_back = tell
    from twisted.scripts.twistd import run

    run()


def measured() -> dict[str, Any]:
    # Not above: the process that is measured imports this module.
    from llmproxy.bench.proxied import CONFIG

    from .start import KEYS

    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "apis.yaml").write_text(CONFIG.format(port=9))
        arguments = ["-n", "--pidfile", "", "llmproxy", "--config", "apis.yaml", "--database", "sqlite:///x.db",
                     "--listen", "tcp:0:interface=127.0.0.1"]  # fmt: skip
        script = "from tests.benchmarks.atrest import watch; watch()"
        env = {**os.environ, **KEYS, "PYTHONPATH": os.getcwd()}
        for _start in range(2):
            subprocess.run([sys.executable, "-c", script, *arguments], cwd=directory, env=env, capture_output=True)
        numbers: dict[str, Any] = json.loads(Path(directory, "numbers.json").read_text())
        return numbers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--modules", type=int, default=0, metavar="N", help="name the N modules that take most, too")
    options = parser.parse_args()
    numbers = measured()
    taken: dict[str, int] = numbers["taken"]
    (full, full_own), (left, left_own) = numbers["full"], numbers["left"]
    parts = dict.fromkeys(["the standard library", *(part for part, _ in PARTS)], 0)
    for name, count in taken.items():
        parts[part_of(name)] += count
    rows = [("Python before any of it", numbers["before"]), *parts.items()]
    rows.append(("what running takes", full - sum(count for _, count in rows)))
    rows += [("started", full), ("given back: pages of files", left - full - (left_own - full_own)),
             ("given back: freed memory", left_own - full_own), ("at rest", left)]  # fmt: skip
    print("| what | MiB |\n|---|---|")
    for name, count in rows:
        print(f"| {name} | {count / MIB:.1f} |")
    for name, count in sorted(taken.items(), key=lambda pair: -pair[1])[: options.modules]:
        print(f"{count / MIB:6.2f} {name}")


if __name__ == "__main__":
    main()
