"""C{twistd llmproxy}: options, and the service that they describe."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import evolve
from twisted.application.service import Service
from twisted.python.usage import Options as TwistedOptions
from twisted.python.usage import UsageError

from .app.descriptors import raise_limit
from .app.signals import ProcessSignals
from .app.startup import Started
from .config.apis import APIConfig
from .config.capturevariables import kept_where, with_capture
from .config.dotenv import with_dotenv
from .config.environment import Environment, read_environment
from .config.listen import endpoint_description, private_endpoint_description
from .config.model import APIProviderConfig
from .config.units import parse_duration
from .config.variables import DEFAULT_CONFIG, DEFAULT_DATABASE, EFFECTIVE, SECRETS
from .core.audit.settings import AuditOptions
from .errors import ConfigError
from .workers.handover import is_trial, taken

if TYPE_CHECKING:
    from .app.serverlog import ServerLog
    from .app.settings import Settings
    from .config.sinks import SinkConfig
    from .service import ProxyService
    from .workers.program import Program
    from .workers.supervisor import Supervisor

_DEFAULTS = {"drain": 30.0, "drain-delay": 0.0}

_EPILOGUE = """Environment variables:

{variables}

The secrets ({secrets}) may stand in files,
which <NAME>_FILE names.

Records of exchanges wait for the database in files, in the directory ledger beside the file of SQLite, else in
./data/ledger; "ledger:" in the YAML file says where else, or "ledger: off".

Examples:

  twistd -n llmproxy --config apis.yaml
  twistd -n llmproxy --config apis.yaml --listen tcp:8080 --listen unix:/run/llmproxy.sock
  twistd -n llmproxy --config apis.yaml --listen tls:8443
  twistd -n llmproxy --config apis.yaml --listen ssl:8443:privateKey=key.pem:certKey=cert.pem
  twistd -n llmproxy --config apis.yaml --manage-listen unix:/run/llmproxy/manage.sock
  llmproxy check apis.yaml
"""


class Options(TwistedOptions):
    """What can be said on the command line; no secret can."""

    synopsis = "[options]"
    optParameters = [
        ["config", "c", None, f"The YAML file of the APIs. [API_CONFIG_PATH, else {DEFAULT_CONFIG}]"],
        ["database", None, None, "sqlite:///path, or a path. [DATABASE_URL, DATABASE_PATH]"],
        ["default-api", None, None, "The API that is served at /. [DEFAULT_API_PROVIDER]"],
        ["env", None, None, "A file of variables; those that are set already stay as they are."],
        [
            "file-event-log",
            None,
            None,
            "A file that gets a line for each exchange, as the reference's. [FILE_EVENT_LOG]",
        ],
        ["access-log", None, None, "Where a line for every exchange goes; - is standard output. [LOG_FILE]"],
        ["workers", "w", "1", "Processes that serve; auto is one for each processor."],
        ["drain", None, "30", "Seconds, or a duration as 1m, that running exchanges get when the proxy stops."],
        ["drain-delay", None, "0", "How long /ready says 503 before the ports close, for a load balancer to notice."],
    ]
    optFlags = [
        ["watch", None, "Reload when the file of the APIs, a secret or a certificate changes. [WATCH_CONFIG]"],
        ["admin-ui", None, "Serve pages for people at /admin, where /manage is. [ADMIN_UI_ENABLED]"],
    ]
    compData: Any = None
    parent: Any = None

    def __init__(self) -> None:
        super().__init__()
        self["listen"] = []
        self["manage-listen"] = []

    def opt_listen(self, description: str) -> None:
        """An address such as :8080, or a Twisted endpoint; may be given several times. [LISTEN_ADDR]"""
        self["listen"].append(description)

    def opt_manage_listen(self, description: str) -> None:
        """Where /manage and metrics are served, and nowhere else; a Unix socket has mode 0600. [MANAGE_LISTEN_ADDR]"""
        self["manage-listen"].append(description)

    def getUsage(self, width: int | None = None) -> str:
        usage: str = super().getUsage(width)
        variables = "\n".join(f"  {name:27} {text}" for name, text in EFFECTIVE.items())
        return usage + "\n" + _EPILOGUE.format(variables=variables, secrets=", ".join(SECRETS))

    def postOptions(self) -> None:
        for name in ("drain", "drain-delay"):
            try:
                self[name] = parse_duration(self[name])
            except ValueError as error:
                raise UsageError(f"--{name}: {error}") from None


def worker_count(text: str) -> int:
    """
    How many processes C{--workers} asks for.

    @raise ConfigError: it is no number from 1 to 1024, and not C{auto}.
    """
    if text == "auto":
        return len(os.sched_getaffinity(0))
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise ConfigError(f"--workers: expected a number from 1 to 1024, or auto, got {text!r}")
    return int(text)


def makeService(options: Options) -> Service:
    """
    Read the configuration and make the service. What is wrong goes to stderr, a line a problem, and ends the
    process with status 1.
    """
    from twisted.internet import reactor

    from .workers.program import program_of

    try:
        made = service_options(options, os.environ)
        try_only(os.environ)
        service = make_service(reactor, made, worker_count(options["workers"]), program_of(options.parent))
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None
    ProcessSignals(reactor, service).install()
    twistd = {} if options.parent is None else options.parent
    return Started(reactor, service, twistd, _server_log(twistd, made))


def _server_log(twistd: Mapping[str, Any], settings: Settings) -> ServerLog | None:
    from .app.serverlog import ServerLog, twistd_write

    write = twistd_write(twistd)
    return (
        None if write is None else ServerLog(write, settings.server_log_format, settings.log_level, settings.masking())
    )


def try_only(env: MutableMapping[str, str]) -> None:
    """End here, where the process is only to find out whether it could start, see L{llmproxy.workers.program}."""
    if is_trial(env):
        # They are imported when it starts.
        from . import service  # noqa: F401
        from .workers import process, supervisor  # noqa: F401

        raise SystemExit(0)


def make_service(
    reactor: Any, settings: Settings, workers: int, program: Program | None = None
) -> ProxyService | Supervisor:
    """
    The service of one process, or the parent of several; each has C{started} and C{stopService}.

    @param program: what starts this process; C{None} where an application has made it.
    """
    handover = None if program is None else taken(os.environ)
    # Workers inherit it.
    raise_limit(settings.apis.limits.connections)
    if workers == 1:
        from . import service

        return service.make_service(reactor, settings, program=program, handover=handover)
    if ":memory:" in settings.database_url or settings.database_url == "sqlite://":
        raise ConfigError("--workers: processes cannot share a database in memory; name a file")
    from .workers.supervisor import Supervisor

    return Supervisor(reactor, settings, workers, program=program, handover=handover)


def service_options(options: Mapping[str, Any], env: Mapping[str, str]) -> Settings:
    """
    The settings of the service, out of the command line and the environment. They can be read again.

    @raise ConfigError: with everything that is wrong with either.
    """
    from .app.configsource import ConfigSource, origins

    given = dict(env)
    opened: set[str] = set()
    settings, path, warnings = read_settings(options, given, opened)
    for warning in warnings:
        _warn(warning, settings.server_log_format)
    origin = origins(options, _DEFAULTS, with_dotenv(given, options["env"]))
    return evolve(
        settings,
        source=ConfigSource(path, lambda files: read_settings(options, given, files)[0], origin, frozenset(opened)),
    )


def read_settings(
    options: Mapping[str, Any], given: Mapping[str, str], opened: set[str]
) -> tuple[Settings, str, Sequence[str]]:
    """
    Settings, the path of the file of the APIs, and what an operator should know.

    @param options: those of L{Options}; C{admin-ui}, C{watch} and C{file-event-log} may be missing.
    @param given: the environment.
    @param opened: where the paths of all files are noted that are read.
    @raise ConfigError: with everything that is wrong with any of it.
    """
    from .app.settings import Settings, exposed
    from .config import load_api_config

    if options["env"]:
        opened.add(options["env"])
    env = with_dotenv(given, options["env"])
    env = {**env, **({"DATABASE_URL": "", "DB_DRIVER": ""} if options["database"] else {})}
    if options.get("file-event-log"):
        env["FILE_EVENT_LOG"] = options["file-event-log"]
    environment, problems = _environment(env, opened)
    listen = _endpoints("--listen", options["listen"], endpoint_description, problems)
    manage_listen = _endpoints("--manage-listen", options["manage-listen"], private_endpoint_description, problems)
    path = options["config"] or env.get("API_CONFIG_PATH") or DEFAULT_CONFIG
    opened.add(path)
    apis = None
    default_api = options["default-api"] or env.get("DEFAULT_API_PROVIDER")
    try:
        apis = load_api_config(path, env=env, default_api=default_api, files=opened)
    except ConfigError as error:
        problems += error.problems
    if problems or environment is None or apis is None:
        raise ConfigError(*problems)
    opened.update(_certificates(apis))
    storage = environment.storage
    database_url = options["database"] or storage.database_url
    settings = Settings(
        apis=_with_defaults(apis, environment),
        management_token=environment.management_token,
        encryption_key=storage.encryption_key,
        old_encryption_keys=storage.old_encryption_keys,
        require_encryption=storage.require_encryption,
        pool_size=storage.pool_size,
        keep_ended_tokens=environment.keep_ended_tokens,
        database_url=database_url,
        listen=listen or environment.listen,
        manage_listen=manage_listen or environment.manage_listen,
        admin_ui=bool(options.get("admin-ui")) or environment.admin_ui,
        access_log=options["access-log"] or environment.log_file or "-",
        log_format=environment.log_format,
        log_level=environment.log_level,
        server_log_format=environment.server_log_format,
        metrics_path=environment.metrics_path,
        metrics_token=environment.metrics_token,
        drain_seconds=options["drain"],
        drain_delay=options["drain-delay"],
        cache=environment.cache,
        audit=_with_file(environment.audit, database_url),
        watch=bool(options.get("watch")) or environment.watch,
        otel=environment.otel,
    )
    return (
        settings,
        path,
        (*environment.warnings, *_in_clear(listen, environment), *_kept(settings.apis), *exposed(settings)),
    )


def _kept(apis: APIConfig) -> tuple[str, ...]:
    """That prompts are kept, and where: an operator is to know."""
    sentence = kept_where(apis)
    return (sentence,) if sentence else ()


def _certificates(apis: APIConfig) -> Iterator[str]:
    """The files of certificates and keys that connections to upstream are made with."""
    for api in apis.apis.values():
        connection = api.connection
        for path in (connection.ca_file, connection.client_cert, connection.client_key):
            if path is not None:
                yield path


def _with_file(audit: AuditOptions | None, database_url: str) -> AuditOptions | None:
    """The audit file is the database's own where nobody says another."""
    if audit is None or not audit.is_default:
        return audit
    from .app.auditfiles import audit_file_of

    return evolve(audit, file=audit_file_of(database_url, DEFAULT_DATABASE))


def _endpoints(
    option: str, texts: Sequence[str], description_of: Callable[[str], str], problems: list[str]
) -> tuple[str, ...]:
    found = []
    for text in texts:
        try:
            found.append(description_of(text))
        except ValueError as error:
            problems.append(f"{option}: {error}")
    return tuple(found)


def _warn(text: str, form: str) -> None:
    """Before there is a log: for the operator at a terminal, and for what reads lines of JSON."""
    if form != "json":
        sys.stderr.write(f"warning: {text}\n")
        return
    from .app.serverlog import warning_line

    sys.stderr.write(warning_line(text, time.time()))


def _in_clear(listen: Sequence[str], environment: Environment) -> list[str]:
    """ENABLE_TLS holds for LISTEN_ADDR, which C{--listen} stands in for: what would then be plain HTTP is said."""
    if not environment.listen[0].startswith("ssl:"):
        return []
    words = "speaks plain HTTP, ENABLE_TLS holds for LISTEN_ADDR only: use ssl:PORT:privateKey=FILE:certKey=FILE"
    return [f"--listen {each} {words}" for each in listen if each.startswith(("tcp:", "tcp6:"))]


def _with_defaults(apis: APIConfig, environment: Environment) -> APIConfig:
    """What the environment says holds for the APIs that say nothing of their own."""
    apis = apis.with_cache_defaults(environment.cache.defaults)
    apis = evolve(apis, apis=with_capture(apis.apis, environment.capture))
    if environment.trusted_proxies is not None:
        apis = evolve(apis, trusted_proxies=environment.trusted_proxies)
    if environment.forwarded_header is not None:
        apis = evolve(apis, forwarded_header=environment.forwarded_header)
    apis = evolve(apis, redis=evolve(apis.redis, **environment.redis)).with_telemetry(environment.otel)
    if environment.sinks:
        apis = evolve(apis, sinks=_sinks(apis, environment))
    return apis if environment.request_timeout is None else _limited(apis, environment.request_timeout)


def _sinks(apis: APIConfig, environment: Environment) -> tuple[SinkConfig, ...]:
    """Those of the file, then those of the environment."""
    from .config.eventvariables import with_sinks

    try:
        return with_sinks(apis.sinks, environment.sinks)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _limited(apis: APIConfig, seconds: float) -> APIConfig:
    """REQUEST_TIMEOUT is the limit of those APIs that have none of their own."""

    def limited(api: APIProviderConfig) -> APIProviderConfig:
        if api.timeouts.request is not None:
            return api
        return evolve(api, timeouts=evolve(api.timeouts, request=seconds))

    return evolve(apis, apis={name: limited(api) for name, api in apis.apis.items()})


def _environment(env: Mapping[str, str], opened: set[str]) -> tuple[Environment | None, list[str]]:
    def read(path: str) -> str:
        opened.add(path)
        with open(path, encoding="utf-8") as file:
            return file.read()

    try:
        return read_environment(env, read), []
    except ConfigError as error:
        return None, list(error.problems)
