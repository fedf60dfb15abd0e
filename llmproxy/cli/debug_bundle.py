"""C{llmproxy debug-bundle}: what those need who are to help, without a secret."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from .doctor import read_subject, subject_options
from .faults import Conflicting, Fault
from .http import Address, Http, parse_address
from .management import Management
from .output import show_unknown_letters

if TYPE_CHECKING:
    from ..doctor.subject import Subject

TIMEOUT = 10.0
"""Seconds for each answer of a running proxy."""


@click.command()
@subject_options
@click.option("--output", "-o", metavar="FILE", help="Where to; it must not exist. [llmproxy-debug-TIME.tar.gz]")
@click.option("--log", "logs", multiple=True, metavar="FILE", help="Put the end of this log in too; repeatable.")
@click.option("--manage-api-base-url", metavar="URL", help="The running proxy. [the one of this configuration]")
@click.option("--no-proxy", is_flag=True, help="Ask no running proxy.")
@click.option("--print", "printed", is_flag=True, help="Print all of it instead of writing a file.")
def command(
    output: str | None,
    logs: tuple[str, ...],
    manage_api_base_url: str | None,
    no_proxy: bool,
    printed: bool,
    **options: Any,
) -> None:
    """Put together what those need who are to help, without a secret.

    Give it the options that `llmproxy serve` gets, in the same environment. It writes one file, readable by you alone,
    with what `llmproxy doctor` finds, the configuration as it was read, names of variables, versions, and what a
    running proxy says of itself (with the management token of this configuration; the calls are in the audit log).

    Secrets of the configuration, the environment and the files that they name are masked, and the bundle is looked
    through for each of them: if one is found, nothing is written. Contents of requests and rows of the database are
    not in it. Look it through before you send it: --print shows all of it.

    \b
    Examples:
      llmproxy debug-bundle --config apis.yaml
      llmproxy debug-bundle --env .env --log /var/log/llmproxy/server.log
      llmproxy debug-bundle --env .env --print | less
    """
    from ..doctor.bundle import Leak, collected, log_names, packed

    subject = read_subject(options)
    read = {name: _end_of(path) for name, path in log_names(logs).items()}
    ask = metrics = None
    if not no_proxy:
        ask, metrics = _proxy(subject, manage_api_base_url)
    try:
        files = collected(subject, ask, metrics, read)
    except Leak as error:
        raise Fault(
            f"nothing was written: a secret of this configuration would have been in {error}; this is a fault of "
            "llmproxy or of a log: please report the former, without the secret"
        ) from None
    if printed:
        show_unknown_letters()
        for name, text in files.items():
            click.echo(f"==> {name} <==\n{text}")
        return
    folder = f"llmproxy-debug-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
    path = output or f"{folder}.tar.gz"
    _write(path, packed(files, folder))
    click.echo(f"{path}: {len(files)} files, no secret in them; look it through before you send it")


def _write(path: str, content: bytes) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Conflicting(f"{path}: exists; name another file with --output") from None
    except OSError as error:
        raise Fault(f"{path}: cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
    except OSError as error:
        os.unlink(path)
        raise Fault(f"{path}: cannot be written: {error.strerror}") from None


def _end_of(path: str) -> str:
    from ..doctor.bundle import MOST_OF_LOG

    try:
        with open(path, "rb") as file:
            file.seek(0, os.SEEK_END)
            size = file.tell()
            # A byte more than is kept, so that what is cut is seen to be.
            file.seek(max(0, size - MOST_OF_LOG - 1))
            return file.read().decode("utf-8", "replace")
    except OSError as error:
        raise Fault(f"--log {path}: cannot be read: {error.strerror}") from None


def _proxy(subject: Subject, url: str | None) -> tuple[Callable[[str], Any] | None, Callable[[], str] | None]:
    """What asks the proxy that runs, and what reads its metrics; nothing where nobody can say where or as whom."""
    settings = subject.settings
    token = "" if settings is None else settings.management_token
    where = url or os.environ.get("MANAGE_API_BASE_URL") or address_of(subject)
    if not where:
        return None, None
    try:
        address = parse_address(where)
    except ValueError as error:
        raise click.UsageError(f"--manage-api-base-url: {error}") from None
    if not address.local and address.scheme != "https":
        raise click.UsageError("--manage-api-base-url: a management token goes to another machine by https:// only")
    http = Http(address, TIMEOUT)
    ask = Management(http, token).get if token else None
    path = None if settings is None else settings.metrics_path
    bearer = "" if settings is None else settings.metrics_token
    return ask, None if not path else lambda: _metrics(http, path, bearer)


def _metrics(http: Http, path: str, token: str) -> str:
    answer = http.ask("GET", path, {"Authorization": f"Bearer {token}"} if token else {})
    return answer.body.decode("utf-8", "replace") if answer.status == 200 else f"status {answer.status}\n"


def address_of(subject: Subject) -> str:
    """Where the proxy of this configuration has its management, if that is on this machine and without TLS."""
    settings = subject.settings
    if settings is None:
        return ""
    for description in (*settings.manage_listen, *(() if settings.manage_listen else settings.listen)):
        kind, _, rest = description.replace("\\:", "\0").partition(":")
        first, *more = (part.replace("\0", ":") for part in rest.split(":"))
        given = dict(part.partition("=")[::2] for part in more)
        if kind == "unix":
            return f"unix:{os.path.abspath(first)}"
        if kind in ("tcp", "tcp6") and first.isdecimal() and first != "0":
            host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(given.get("interface", ""))
            host = host or (f"[{given['interface']}]" if ":" in given["interface"] else given["interface"])
            found = f"http://{host}:{first}"
            return found if _is_local(found) else ""
    return ""


def _is_local(url: str) -> bool:
    address: Address = parse_address(url)
    return address.local
