"""C{llmproxy benchmark}: what a gateway adds, measured beside what is behind it."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import click

from .output import warn

PAPER = 120
"""Columns of a table that goes to a file or a pipe."""

EXAMPLES = """\b
Examples:
  llmproxy benchmark
  llmproxy benchmark --quick --run closed --json figures.json --svg latency.svg
  PROXY_TOKEN=sk-... llmproxy benchmark --url http://localhost:8080 --direct http://localhost:9000
  llmproxy benchmark --url http://localhost:4000 --token-file key --upstream-port 9000
  llmproxy benchmark --url https://llm.example.org --direct https://api.example.com \\
      --direct-token-env OPENAI_API_KEY --model gpt-4o-mini -r 100 -c 4
"""


def _checked(check: Callable[..., Any]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A callback of an option whose values C{check} takes, or refuses with a C{ValueError}."""

    def callback(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        try:
            return tuple(map(check, value)) if isinstance(value, tuple) else value and check(value)
        except ValueError as error:
            raise click.BadParameter(str(error), context, parameter) from None

    return callback


def _address(url: str) -> str:
    from ..bench.asking import address

    address(url)
    return url


def _path(path: str) -> str:
    from ..bench.asking import address

    if not path.startswith("/"):
        raise ValueError("expected a path that begins with /")
    address("http://host", path)
    return path


def _field(line: str) -> tuple[str, str]:
    from ..bench.asking import field_of

    return field_of(line)


def _bounds(text: str) -> tuple[float, ...]:
    found = tuple(float(part) for part in text.split(","))
    if not 1 <= len(found) <= 8 or not all(0.01 <= bound <= 60_000 for bound in found):
        raise ValueError("expected at most eight numbers between 0.01 and 60000, with commas in between")
    return found


_COUNT = click.IntRange(1, 1_000_000_000)
_SECONDS = click.FloatRange(0.1, 3600)
_RATE = click.FloatRange(1, 10_000_000)
_READABLE = click.Path(exists=True, dir_okay=False)
_WRITABLE = click.Path(dir_okay=False, writable=True, allow_dash=True)


@click.command(epilog=EXAMPLES)
@click.option("--url", metavar="URL", callback=_checked(_address), help="The gateway.")
@click.option(
    "--base-url",
    metavar="URL",
    callback=_checked(_address),
    help="The same; with --endpoint and none of the other options here it is the benchmark of llm-proxy: -r requests "
    "(else 1) by -c workers (else 1), and its table.",
)
@click.option("--endpoint", metavar="PATH", callback=_checked(_path), help="The same as --path.")
@click.option(
    "--path",
    metavar="PATH",
    callback=_checked(_path),
    help="Added to both URLs; if they have none: /v1/chat/completions.",
)
@click.option(
    "--direct", metavar="URL", callback=_checked(_address), help="What is behind the gateway, asked beside it."
)
@click.option(
    "--upstream-port",
    type=click.IntRange(1, 65535),
    help="Start an upstream of our own there, for the gateway to call.",
)
@click.option("--token", hidden=True)
@click.option("--debug/--no-debug", default=False, hidden=True)
@click.option("--token-env", metavar="NAME", help="The variable with the gateway's token.  [default: PROXY_TOKEN]")
@click.option("--token-file", type=_READABLE, help="The file with the gateway's token.")
@click.option("--direct-token-env", metavar="NAME", help="The variable with the token for --direct.")
@click.option("--direct-token-file", type=_READABLE, help="The file with the token for --direct.")
@click.option(
    "--header",
    "-H",
    multiple=True,
    metavar="FIELD",
    callback=_checked(_field),
    help="'Name: value'; {token} stands for the token. Repeatable.",
)
@click.option("--method", default="POST", show_default=True, type=click.Choice(["GET", "POST"]))
@click.option("--model", default="demo", show_default=True, help="In the body that is sent.")
@click.option("--body", type=_READABLE, help="A file with the body to send instead.")
@click.option(
    "--run",
    "kinds",
    multiple=True,
    type=click.Choice(["closed", "open", "bounds", "streams"]),
    help="What to measure; repeatable.  [default: all]",
)
@click.option("--connections", "--concurrency", "-c", default=64, show_default=True, type=click.IntRange(1, 20_000))
@click.option("--requests", "-r", type=_COUNT, help="So many of each target and no more: a closed loop only.")
@click.option("--rate", type=_RATE, help="Requests a second of the open loop.  [default: half of what is carried]")
@click.option(
    "--bounds", default="1,5,10,50", show_default=True, callback=_checked(_bounds), help="Milliseconds of p99."
)
@click.option("--streams", type=click.IntRange(1, 20_000), help="How many to hold at once.  [default: 2000]")
@click.option("--events", type=_RATE, help="Events a second in all.  [default: half of the most]")
@click.option("--duration", type=_SECONDS, help="Seconds of each target in each kind of run.  [default: 5]")
@click.option("--warmup", type=click.FloatRange(0, 600), help="Seconds before each round.  [default: 0.5]")
@click.option("--rounds", type=click.IntRange(1, 100), help="In which the targets take turns.  [default: 5]")
@click.option("--quick", is_flag=True, help="Shorter, fewer and rougher: half a minute.")
@click.option("--processes", default=1, show_default=True, type=click.IntRange(1, 64), help="That make the load.")
@click.option("--timeout", default=30.0, show_default=True, type=_SECONDS, help="Seconds until an answer is an error.")
@click.option("--cache", is_flag=True, help="Ask for cached answers, and count those that are.")
@click.option("--cache-ttl", default=86400, show_default=True, type=_COUNT, help="Seconds, with --cache.")
@click.option(
    "--pid",
    "pids",
    multiple=True,
    type=click.IntRange(1),
    help="A process of the gateway, whose CPU and memory to show. Repeatable.",
)
@click.option("--workers", type=click.IntRange(1, 64), help="Of the proxy that is started without --url.  [default: 1]")
@click.option("--json", "json_file", help="Write everything as JSON; - is standard output.")
@click.option("--svg", "svg_file", type=_WRITABLE, help="Draw the latencies by percentile.")
@click.option("--plot/--no-plot", default=True, show_default=True, help="Draw them with letters too.")
@click.option("--quiet", "-q", is_flag=True, help="Show no progress.")
def command(**options: Any) -> None:  # fmt: skip
    """Measure a gateway beside what is behind it, in turns.

    Without --url everything is started here: an upstream that answers at once, and a proxy with its whole chain on.
    Nothing else is needed, no network either.

    \b
    closed   as many requests as --connections carry, one after another
    open     a fixed rate, each latency counted from when its request was due
    bounds   the highest rates at which p99 stays within --bounds
    streams  --streams held at once, and how late each event is

    It asks as fast as it is answered: say -r where requests cost money. Ctrl-C ends it with the figures so far.

    \b
    Examples:
      llmproxy benchmark
      llmproxy benchmark --quick --json
      llmproxy benchmark --url http://localhost:8080 --token-file token.txt --model gpt-4o-mini
    """
    from ..bench.processes import LoadFailed

    token = _visible(options.pop("token"))
    base_url, endpoint, debug = (options.pop(name) for name in ("base_url", "endpoint", "debug"))
    if base_url and endpoint and _is_old():
        sys.exit(_fixed(base_url, endpoint, token, debug, options))
    options |= {"url": options["url"] or base_url, "path": options["path"] or endpoint}
    options["token"] = token
    _ask_whole(options)
    _check_file(options["json_file"])
    try:
        with _interruptible(), ExitStack() as running:
            sys.exit(_measure(running, options))
    except LoadFailed as failure:
        click.echo(f"Error: {failure}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


_OLD = {
    *("base_url", "endpoint", "token", "token_env", "token_file", "requests", "connections", "debug"),
    *("json_file", "cache", "cache_ttl", "method"),
}
"""Parameters that the benchmark of the Go program has, and the file for its token."""


def _is_old() -> bool:
    """Whether nothing is said that only this program understands."""
    context = click.get_current_context()
    said = click.core.ParameterSource.COMMANDLINE
    return not [name for name in context.params if context.get_parameter_source(name) is said and name not in _OLD]


def _visible(token: str | None) -> str | None:
    from ..bench.asking import token_of

    if token is None:
        return None
    warn("everybody on this machine can see --token; use PROXY_TOKEN, --token-env or --token-file")
    try:
        return token_of(token)
    except ValueError as error:
        raise click.UsageError(f"--token: {error}") from None


def _fixed(base_url: str, endpoint: str, token: str | None, debug: bool, options: dict[str, Any]) -> int:
    from .benchmark_fixed import FixedBenchmark, body_of, show
    from .benchmark_options import token_said

    context = click.get_current_context()
    is_default = context.get_parameter_source("connections") is click.core.ParameterSource.DEFAULT
    found = token or token_said(options["token_env"], options["token_file"], "PROXY_TOKEN")
    if not found:
        raise click.UsageError("a token is needed: set PROXY_TOKEN, or name a file with --token-file")
    benchmark = FixedBenchmark(
        base_url,
        endpoint,
        found,
        method=options["method"],
        body=body_of(options["json_file"]),
        requests=options["requests"] or 1,
        concurrency=1 if is_default else options["connections"],
        cache_ttl=options["cache_ttl"] if options["cache"] else None,
    )
    figures = benchmark.run()
    show(benchmark, options["cache"], debug)
    return 1 if len(figures.asked) == figures.failed else 0


def _check_file(path: str | None) -> None:
    if path is not None and path.lstrip().startswith(("{", "[")):
        raise click.UsageError(
            "--json names a file for the figures here; with --base-url and --endpoint it is the body"
        )
    if path is not None:
        _WRITABLE.convert(path, None, click.get_current_context())


def _ask_whole(options: dict[str, Any]) -> None:
    """@raise UsageError: options that do not go together."""
    if options["url"] is None:
        for name in ("direct", "upstream_port", "token", "token_env", "token_file"):
            if options[name] is not None:
                raise click.UsageError(f"--{name.replace('_', '-')} is about a gateway: give --url too")
        if options["pids"]:
            raise click.UsageError("--pid is about a gateway: give --url too")
    elif options["workers"] is not None:
        raise click.UsageError("--workers is for the proxy that is started without --url")
    for one, other in (
        ("direct", "upstream_port"),
        ("token_env", "token_file"),
        ("direct_token_env", "direct_token_file"),
    ):
        if options[one] is not None and options[other] is not None:
            raise click.UsageError(f"--{one.replace('_', '-')} or --{other.replace('_', '-')}, not both")
    if options["requests"] and set(options["kinds"]) - {"closed"}:
        raise click.UsageError("--requests bounds a closed loop: say --run closed, or no --run")


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM ends it as Ctrl-C does: nothing that was started here stays behind."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _measure(running: ExitStack, options: dict[str, Any]) -> int:
    """The status to end with. What is started is ended with C{running}."""
    from ..bench.comparison import Comparison
    from ..bench.processes import LoadFailed
    from ..bench.report import report
    from ..bench.session import Session
    from ..bench.watching import Watching
    from .benchmark_options import notes, plan_of, settings_of, targets_of

    settings, plan = settings_of(options), plan_of(options)
    targets = targets_of(running, options)
    status = 0
    with Watching(quiet=options["quiet"]) as watching:
        comparison = Comparison(targets, settings, watching.progress)
        session = Session(comparison, plan)
        session.findings.notes += notes(options)
        try:
            session.run()
        except KeyboardInterrupt:
            status = 130
        except LoadFailed as failure:
            click.echo(f"Error: {failure}", err=True)
            status = 1
    show(report(comparison, settings, session.findings), options)
    return status


def show(made: dict[str, Any], options: dict[str, Any]) -> None:
    """Tables and bars on standard output, or on stderr if JSON goes there; the files that were asked for."""
    from rich.console import Console

    from ..bench.plot import bars, plots, svg
    from ..bench.tables import tables

    console = Console(stderr=options["json_file"] == "-", highlight=False)
    if not console.is_terminal:
        console.width = PAPER
    for table in tables(made):
        console.print(table)
    for plot in plots(made) if options["plot"] else ():
        console.print("\n".join(bars(plot)), soft_wrap=True, markup=False)
    for note in made["notes"]:
        console.print(note, soft_wrap=True, markup=False)
    if options["json_file"]:
        with click.open_file(options["json_file"], "w", encoding="utf-8") as file:
            file.write(json.dumps(made, indent=2) + "\n")
    if options["svg_file"]:
        with click.open_file(options["svg_file"], "w", encoding="utf-8") as file:
            file.write(svg(plots(made)))
