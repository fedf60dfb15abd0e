"""A bundle for those who are to help: what is known of a proxy, and none of its secrets."""

from __future__ import annotations

import io
import json
import platform
import sys
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import distributions
from typing import TYPE_CHECKING, Any

from attrs import asdict

from .. import __version__
from ..config.oldvariables import NOT_EFFECTIVE
from ..config.shown import shown
from ..config.variables import EFFECTIVE, SECRETS
from ..core.doctor.cleaning import SET, Secrets, cleaned, last_lines, shown_variable, without_addresses
from ..core.masking import Masking
from .examination import examine
from .look_database import look_at_database
from .look_system import look_at_system
from .subject import Subject, secrets_of, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_OF_LOG = 1024 * 1024
"""Bytes of the end of each log."""

ASKED = ("/config", "/numbers", "/upstreams", "/breaker", "/sinks", "/cache/stats", "/limits")
"""What a running proxy is asked, below C{/manage}; what an older one does not have is left out."""

README = """\
A bundle of llmproxy {version}, made {time}.

{files}

It holds no secret: passwords, keys and tokens of the configuration, of the environment and of the files that they name
are left out or masked, and it was looked through for each of them before it was written. Of variables there are the
names, and values only where they are a number, a switch or a level. There are no contents of requests, no rows of the
database and, in logs, no addresses of clients.

It does say: names of APIs, upstreams, projects' groups and sinks of the configuration, hosts, paths of files, versions
of packages, the size of this machine, and, if logs were asked for, their lines. Look it through before you send it.
"""

_ABOUT = {
    "doctor.json": "what llmproxy doctor found",
    "configuration.json": "the configuration as it was read, masked, or what is wrong with it",
    "variables.json": "which environment variables are set",
    "versions.json": "of Python, the system and all packages",
    "system.json": "limits, memory, disks",
    "database.json": "whether it answers, and the revision of its schema",
    "proxy.json": "what a running proxy says of itself",
    "metrics.txt": "its metrics",
}


class Leak(Exception):
    """A secret would have been in a bundle; its text names the files."""


def collected(
    subject: Subject,
    ask: Callable[[str], Any] | None = None,
    metrics: Callable[[], str] | None = None,
    logs: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """
    The files of a bundle, by their names.

    @param ask: gives what a running proxy says to a C{GET} below C{/manage}; it may raise.
    @param metrics: likewise its metrics.
    @param logs: texts of logs, by the names of their files.
    @raise Leak: a secret is in one of them all the same; nothing is to be written then.
    """
    known = list(secrets_of(subject))
    secrets, masking = Secrets(known), Masking(known)

    def clean(text: str) -> str:
        return secrets.masked(without_secrets(text, masking))

    files: dict[str, str] = {}
    for name, value in _values(subject, ask):
        files[name] = _text(cleaned(value, clean))
    if metrics is not None:
        files["metrics.txt"] = clean(_tried(metrics))
    for name, text in (logs or {}).items():
        lines = last_lines(text, MOST_OF_LOG).splitlines()
        files[f"logs/{clean(name)}"] = "".join(f"{without_addresses(clean(line))}\n" for line in lines)
    about = "\n".join(f"{name:20} {_ABOUT.get(name, 'the end of that log')}" for name in files)
    now = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
    whole = {"README.txt": README.format(version=__version__, time=now, files=about), **files}
    whole["README.txt"] = clean(whole["README.txt"])
    # The names that we give are ours; those of logs are not.
    named = {name: name for name in whole if name.startswith("logs/")}
    if found := {*secrets.leaks(whole), *secrets.leaks(named)}:
        raise Leak(", ".join(sorted(found)))
    return whole


def _text(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _values(subject: Subject, ask: Callable[[str], Any] | None) -> Iterator[tuple[str, Any]]:
    yield "doctor.json", examine(subject).plain()
    yield "configuration.json", _configuration(subject)
    yield "variables.json", variables(subject)
    yield "versions.json", versions()
    yield "system.json", asdict(look_at_system(subject))
    yield "database.json", asdict(look_at_database(subject))
    if ask is not None:
        yield "proxy.json", {path: _tried(lambda path=path: ask(path)) for path in ASKED}  # type: ignore[misc]


def _tried(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:
        return f"{type(error).__name__}: {getattr(error, 'message', None) or error}"


def _configuration(subject: Subject) -> dict[str, Any]:
    from ..app.shownsettings import shown_settings

    found: dict[str, Any] = {"path": subject.path, "problems": subject.problems, "warnings": subject.warnings}
    if subject.settings is not None:
        said = shown_settings(subject.settings)
        found |= {"configuration": said.configuration, "settings": said.settings, "origins": said.origins}
    elif subject.apis is not None:
        found["configuration"] = shown(subject.apis)
    return found


def variables(subject: Subject) -> dict[str, str]:
    """Those that mean something to the proxy; of others, which may be anybody's, not even the names."""
    ours = {*EFFECTIVE, *NOT_EFFECTIVE, *(f"{name}_FILE" for name in SECRETS)}
    named = [name for name, value in subject.env.items() if value and name in ours]
    hidden = {*SECRETS, *(name for name in ours if name.endswith(("_KEY", "_TOKEN", "_PASSWORD", "_SECRET")))}
    return {name: SET if name in hidden else shown_variable(subject.env[name]) for name in sorted(named)}


def versions() -> dict[str, Any]:
    """All that is installed: what a fault comes from may be any of it."""
    packages = {str(each.metadata["Name"]): each.version for each in distributions() if each.metadata["Name"]}
    return {
        "llmproxy": __version__,
        "python": sys.version,
        "implementation": platform.python_implementation(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "libc": " ".join(platform.libc_ver()),
        "packages": dict(sorted(packages.items(), key=lambda each: each[0].lower())),
    }


def packed(files: Mapping[str, str], folder: str, now: float | None = None) -> bytes:
    """A C{.tar.gz} with these files in a folder; owners of files are nobody."""
    moment = time.time() if now is None else now
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as archive:
        for name, text in files.items():
            content = text.encode("utf-8", "replace")
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mode, entry.mtime = len(content), 0o600, int(moment)
            archive.addfile(entry, io.BytesIO(content))
    return whole.getvalue()


def log_names(paths: Sequence[str]) -> dict[str, str]:
    """A name in the bundle for each path: its last part, with a number where two are the same."""
    import os

    found: dict[str, str] = {}
    for path in paths:
        base = os.path.basename(path) or "log"
        name, number = base, 1
        while name in found:
            number += 1
            name = f"{number}-{base}"
        found[name] = path
    return found
