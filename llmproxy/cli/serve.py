"""C{llmproxy serve}: the service of C{twistd llmproxy} in the foreground, without twistd."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from ..config.units import parse_duration
from ..errors import ConfigError


def _duration(context: click.Context, parameter: click.Parameter, value: str) -> float:
    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from None


@click.command()
@click.option("--config", "-c", metavar="FILE", help="The YAML file of the APIs. [API_CONFIG_PATH]")
@click.option("--listen", multiple=True, metavar="ENDPOINT", help="An address or endpoint; repeatable. [LISTEN_ADDR]")
@click.option(
    "--manage-listen",
    multiple=True,
    metavar="ENDPOINT",
    help="Where /manage and the metrics are served, and nowhere else; repeatable. [MANAGE_LISTEN_ADDR]",
)
@click.option("--database", metavar="URL", help="sqlite:///path, or a path. [DATABASE_URL, DATABASE_PATH]")
@click.option("--default-api", metavar="NAME", help="The API that is served at /. [DEFAULT_API_PROVIDER]")
@click.option("--env", metavar="FILE", help="A file of variables; those that are set already stay as they are.")
@click.option(
    "--file-event-log",
    metavar="FILE",
    help="A file that gets a line for each exchange, as the reference's. [FILE_EVENT_LOG]",
)
@click.option("--access-log", metavar="FILE", help="A line for every exchange; - is standard output. [LOG_FILE]")
@click.option("--workers", "-w", default="1", help="Processes that serve; auto is one for each processor.")
@click.option("--drain", callback=_duration, default="30s", show_default=True, help="What exchanges get at the end.")
@click.option(
    "--drain-delay",
    callback=_duration,
    default="0s",
    show_default=True,
    help="How long /ready says 503 before the ports close.",
)
@click.option("--admin-ui", is_flag=True, help="Serve pages for people at /admin, where /manage is. [ADMIN_UI_ENABLED]")
@click.option("--watch", is_flag=True, help="Reload when FILE, a secret or a certificate changes. [WATCH_CONFIG]")
def command(**options: Any) -> None:
    """Serve the APIs of a configuration, in the foreground.

    It is what `twistd -n llmproxy` runs, with the same options and environment variables
    (`twistd llmproxy --help` explains the variables). Ctrl-C and SIGTERM let running exchanges end. `llmproxy reload`,
    or SIGHUP where it runs without a terminal, has it read FILE again.

    Records of exchanges wait for the database in files, in the directory `ledger` beside the file of SQLite, else in
    ./data/ledger; `ledger:` in FILE says where else, or `ledger: off`.

    \b
    Examples:
      llmproxy serve --env .env
      llmproxy serve --config apis.yaml --listen :8080 --workers auto
      llmproxy serve --env .env --manage-listen unix:/run/llmproxy/manage.sock
    """
    from twisted.internet import reactor

    from ..tap import make_service, service_options, try_only, worker_count
    from ..workers.program import program_of
    from .reactor import log_to_stderr, run_service

    named = {name.replace("_", "-"): value for name, value in options.items()}
    try:
        made = service_options(named, os.environ)
        try_only(os.environ)
        log_to_stderr(made.log_level, made.server_log_format, made.masking())
        service = make_service(reactor, made, worker_count(named["workers"]), program_of())
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    sys.exit(run_service(reactor, service))
