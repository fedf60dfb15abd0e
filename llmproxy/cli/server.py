"""C{llmproxy server}: the server of the Go program, with its flags, as L{llmproxy.cli.serve} serves it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from ..config.dotenv import with_dotenv
from ..config.units import parse_flag
from ..config.variables import DEFAULT_CONFIG
from ..errors import ConfigError
from .daemon import Daemon, report_to_parent
from .output import warn

if TYPE_CHECKING:
    from ..app.serverlog import ServerLog
    from ..app.settings import Settings

BUILT_IN = os.path.join(os.path.dirname(os.path.dirname(__file__)), "config", "openai.yaml")
"""The one API that the Go program serves where there is no file of APIs."""

_VARIABLES = {
    "addr": "LISTEN_ADDR",
    "db": "DATABASE_PATH",
    "log_level": "LOG_LEVEL",
    "log_file": "LOG_FILE",
    "config": "API_CONFIG_PATH",
    "file_event_log": "FILE_EVENT_LOG",
}
"""What a flag stands above."""


@click.command(hidden=True)
@click.option(
    "--daemon/--no-daemon", "-d", envvar="DAEMON", default=False, help="Run in the background; needs --log-file."
)
@click.option("--env", envvar="ENV", default=".env", show_default=True, metavar="FILE", help="Variables, if it exists.")
@click.option("--addr", metavar="ADDRESS", help="Where to listen. [LISTEN_ADDR, else :8080]")
@click.option("--db", metavar="FILE", help="The SQLite database. [DATABASE_PATH]")
@click.option("--log-level", metavar="LEVEL", help="debug, info, warn or error. [LOG_LEVEL]")
@click.option(
    "--pid-file",
    envvar="PID_FILE",
    default="tmp/server.pid",
    show_default=True,
    metavar="FILE",
    help="The process id, with -d.",
)
@click.option("--debug/--no-debug", "-v", default=False, help="The same as --log-level debug. [DEBUG=1]")
@click.option("--log-file", metavar="FILE", help="Where everything is logged. [LOG_FILE, else standard output]")
@click.option("--config", "-c", metavar="FILE", help=f"The YAML file of the APIs. [API_CONFIG_PATH, {DEFAULT_CONFIG}]")
@click.option("--file-event-log", metavar="FILE", help="A line for each exchange. [FILE_EVENT_LOG]")
@click.option("--workers", "-w", default="1", help="Processes that serve; auto is one for each processor.")
def command(daemon: bool, env: str, pid_file: str, debug: bool, workers: str, **flags: str | None) -> None:
    """Serve, with the flags and files of the Go program llm-proxy; llmproxy serve has more.

    FILE of --env is read if it is there; flags come before it, and so do variables that are set. Where no file of APIs
    is named and none is at its place, OpenAI's API is served, at OPENAI_API_URL.

    \b
    Examples:
      llm-proxy server
      llmproxy server --addr :9000 --db data/llm-proxy.db -c config/api_providers.yaml
      llmproxy server -d --log-file logs/llm-proxy.log --pid-file tmp/server.pid
    """
    path = _env_file(env)
    try:
        known = with_dotenv(os.environ, path)
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    if daemon:
        named = {**flags, "env": path, "workers": workers}
        given = [f"--{name.replace('_', '-')}={value}" for name, value in named.items() if value]
        level = "debug" if debug else flags["log_level"] or ""
        given += ["--debug"] if debug else []
        log_file = flags["log_file"] or known.get("LOG_FILE", "").strip()
        sys.exit(Daemon(given, log_file, pid_file, level or known.get("LOG_LEVEL", "")).start())
    _serve(_environment(known, flags, debug), path, flags["db"], workers)


def _env_file(path: str) -> str | None:
    """The file of variables, if it is there; one that was named on the command line should be."""
    if os.path.exists(path):
        return path
    context = click.get_current_context()
    if context.get_parameter_source("env") is click.core.ParameterSource.COMMANDLINE:
        warn(f"--env: {path} is not there")
    return None


def _environment(known: Mapping[str, str], flags: Mapping[str, str | None], debug: bool) -> dict[str, str]:
    """
    The variables of the process, and above them those that flags stand for.

    @param known: those of the process, and below them those of the file.
    """
    env = dict(os.environ)
    env |= {variable: value for name, variable in _VARIABLES.items() if (value := flags[name])}
    if debug or _is_on(known.get("DEBUG", "")):
        env["LOG_LEVEL"] = "debug"
    if not known.get("LOG_FORMAT", "").strip():
        # It logs JSON where nothing else is said, all of it.
        env["LOG_FORMAT"] = "json"
    path = env.get("API_CONFIG_PATH") or known.get("API_CONFIG_PATH")
    if not path and not os.path.exists(DEFAULT_CONFIG):
        warn(f"there is no {DEFAULT_CONFIG}: OpenAI's API is served; --config names a file of APIs")
        env["API_CONFIG_PATH"] = BUILT_IN
    return env


def _is_on(text: str) -> bool:
    """What other programs mean by C{DEBUG} is not asked of them."""
    try:
        return bool(text) and parse_flag(text.strip())
    except ValueError:
        return False


def _serve(env: Mapping[str, str], path: str | None, db: str | None, workers: str) -> None:
    from twisted.internet import reactor

    from ..tap import make_service, service_options, try_only, worker_count
    from ..workers.program import program_of
    from .reactor import run_service

    options: dict[str, Any] = dict.fromkeys(("config", "database", "default-api", "file-event-log", "access-log"))
    options |= {"listen": (), "manage-listen": (), "drain": 30.0, "drain-delay": 0.0, "env": path, "database": db}
    try:
        settings = service_options(options, env)
        try_only(os.environ)
        _log(settings)
        service = make_service(reactor, settings, worker_count(workers), program_of())
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    report_to_parent(service.started)
    sys.exit(run_service(reactor, service))


def _log(settings: Settings) -> ServerLog:
    """What the process has to say goes where its access log goes: the Go program has one log."""
    from twisted.logger import globalLogBeginner

    from ..app.serverlog import ServerLog
    from ..sinks.accesslog import LogFile

    directory = os.path.dirname(settings.access_log or "")
    try:
        if directory:
            os.makedirs(directory, exist_ok=True)
        file = LogFile(settings.access_log or "-")
    except OSError as error:
        raise ConfigError(f"LOG_FILE: {settings.access_log}: {error.strerror}") from None
    log = ServerLog(
        lambda text: file.write(text.encode("utf-8", "backslashreplace")),
        settings.server_log_format,
        settings.log_level,
        settings.masking(),
    )
    globalLogBeginner.beginLoggingTo([log], redirectStandardIO=False)
    return log
