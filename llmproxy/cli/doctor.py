"""C{llmproxy doctor}: looks at all that a proxy needs, and says what to mend."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import click

from ..core.doctor.findings import LEVELS, Finding, Level
from .output import Output, printable, show_unknown_letters
from .quickstart_settings import DATABASE, subject_of_quickstart
from .target import DATA

CHECKS = (
    *("configuration", "environment", "ports", "database", "redis", "upstreams"),
    *("identity", "certificates", "system", "clock", "versions", "backlogs"),
)

_COLOURS: Mapping[Level, str] = {"ok": "green", "note": "cyan", "warning": "yellow", "fault": "red"}

ALONE = "where nothing says another configuration"

SUBJECT_OPTIONS = (
    click.option("--config", "-c", metavar="FILE", help="The YAML file of the APIs. [API_CONFIG_PATH]"),
    click.option("--env", metavar="FILE", help="A file of variables; those that are set already stay as they are."),
    click.option("--listen", multiple=True, metavar="ENDPOINT", help="As of llmproxy serve. [LISTEN_ADDR]"),
    click.option("--manage-listen", multiple=True, metavar="ENDPOINT", help="Likewise. [MANAGE_LISTEN_ADDR]"),
    click.option("--database", metavar="URL", help="sqlite:///path, or a path. [DATABASE_URL, DATABASE_PATH]"),
    click.option("--default-api", metavar="NAME", help="The API that is served at /. [DEFAULT_API_PROVIDER]"),
    click.option("--workers", "-w", default="1", help="Processes that serve; auto is one for each processor."),
    click.option(
        "--data", metavar="DIR", help=f"The directory of llmproxy quickstart, instead. [else {DATA}, {ALONE}]"
    ),
    click.option("--offline", is_flag=True, help="Ask no upstream, and no name server for one."),
)
"""Those of C{llmproxy serve} that say what is to be looked at."""

_OWN = ("workers", "offline", "data")
_OTHERWISE = ("config", "env", "listen", "manage_listen", "database", "default_api")


def subject_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command L{SUBJECT_OPTIONS}."""
    for option in reversed(SUBJECT_OPTIONS):
        command = option(command)
    return command


def read_subject(options: Mapping[str, Any]) -> Any:
    """The L{llmproxy.doctor.subject.Subject} that the options describe; a quickstart, where they describe none."""
    from ..config.variables import DEFAULT_CONFIG
    from ..doctor.subject import subject_of
    from ..errors import ConfigError
    from ..tap import worker_count
    from .storage import warn_of_password

    data = options["data"]
    said = [name for name in _OTHERWISE if options[name]]
    if data is not None and said:
        raise click.UsageError(f"--data and --{said[0].replace('_', '-')}: one of them says what is looked at")
    is_named = bool(said or os.environ.get("API_CONFIG_PATH") or os.path.exists(DEFAULT_CONFIG))
    if data is not None or (not is_named and os.path.isfile(os.path.join(DATA, DATABASE))):
        return subject_of_quickstart(data or DATA, os.environ, offline=options["offline"])
    warn_of_password("--database", options["database"])
    named = {name.replace("_", "-"): value for name, value in options.items() if name not in _OWN}
    try:
        workers = worker_count(options["workers"])
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
    return subject_of(named, os.environ, workers=workers, offline=options["offline"])


@click.command()
@subject_options
@click.option("--check", "checks", multiple=True, type=click.Choice(CHECKS), help="Only this one; repeatable.")
@click.option("--quiet", "-q", is_flag=True, help="Only what is to be mended.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(checks: tuple[str, ...], quiet: bool, as_json: bool, **options: Any) -> None:
    """Look at all that a proxy needs, and say what to mend.

    Give it the options that `llmproxy serve` gets, in the same environment. It looks at the configuration, variables,
    ports, database, Redis, upstreams (their names, a connection, their certificates; no request is sent), certificates,
    limits of the system, the clock, versions, and what waits on disk. It changes nothing, shows no secret, and no
    check takes longer than 10 seconds.

    It ends with 0 where nothing is to be mended, 1 if there are warnings, 2 if there are faults.

    \b
    Examples:
      llmproxy doctor                        after llmproxy quickstart
      llmproxy doctor --config apis.yaml
      llmproxy doctor --env .env --workers auto --quiet
      llmproxy doctor --env .env --offline --json
      llmproxy doctor --check database --check redis
    """
    from ..doctor.examination import examine

    show_unknown_letters()
    if os.environ.get("NO_COLOR"):
        # See no-color.org.
        click.get_current_context().color = False
    examination = examine(read_subject(options), checks)
    if as_json:
        Output(True).json(examination.plain())
    else:
        _show(examination, quiet)
    sys.exit(examination.status)


def _show(examination: Any, quiet: bool) -> None:
    shown: dict[Level, int] = dict.fromkeys(LEVELS, 0)
    for each in examination.checks:
        wanted = [one for one in each.findings if not quiet or one.level in ("warning", "fault")]
        if wanted:
            click.secho(each.check, bold=True)
        for one in wanted:
            _line(one)
        for one in each.findings:
            shown[one.level] += 1
    faults, warnings = shown["fault"], shown["warning"]
    if faults or warnings:
        words = f"{_counted(faults, 'fault')}, {_counted(warnings, 'warning')}."
        click.secho(words, fg=_COLOURS["fault" if faults else "warning"])
    else:
        click.secho("Everything is in order.", fg=_COLOURS["ok"])


def _line(finding: Finding) -> None:
    click.echo("  " + click.style(f"{finding.level:8}", fg=_COLOURS.get(finding.level)) + printable(finding.says))
    if finding.mend:
        click.echo(f"          -> {printable(finding.mend)}")


def _counted(count: int, word: str) -> str:
    return f"{count or 'no'} {word}{'s' * (count != 1)}"
