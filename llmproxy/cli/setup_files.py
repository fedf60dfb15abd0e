"""Files and rows that a first start needs."""

from __future__ import annotations

import os
import re
import tempfile
import time
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from attrs import evolve, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ..config.databases import parse_encryption_key, sqlite_url
from ..config.dotenv import parse_dotenv
from ..config.listen import check_endpoint, endpoint_description
from ..config.problems import Problems
from ..core.tokens import generate
from ..errors import ConfigError, DuplicateName, ProxyError
from ..management.checks import check_api_key, check_name
from ..management.projects import ProjectRules
from ..management.state import KnownApis, State
from ..management.tokens import TokenRequest, TokenRules
from ..message import Project
from ..providers.registry import SETUPS
from .faults import Conflicting, Fault
from .secretinput import read_secret_file

DEFAULT_APIS = "config/api_providers.yaml"
DEFAULT_DATABASE = "data/llm-proxy.db"
DEFAULT_ADDRESS = "localhost:8080"

SECRET = ("MANAGEMENT_TOKEN", "ENCRYPTION_KEY", "DATABASE_URL")
HONOURED = (
    *SECRET,
    *(f"{name}_FILE" for name in SECRET),
    *("DATABASE_PATH", "DB_DRIVER", "LISTEN_ADDR", "API_CONFIG_PATH", "REQUIRE_ENCRYPTION_KEY"),
)
"""Variables that decide what is written, wherever they are set; all others of the environment stay there."""

_ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_TCP = re.compile(r"tcp:([0-9]+)(?::interface=([0-9.]+))?")
_COMMENT = "# Written by llmproxy setup. Every variable: twistd llmproxy --help\n"


@frozen
class Plan:
    """
    @ivar duration: of the first token, in seconds.
    @ivar db: C{""} until it is known, as C{addr} and C{apis}: what is set already is kept.
    """

    config: str
    apis: str
    provider: str
    base_url: str | None
    db: str
    addr: str
    project: str
    duration: float
    token_file: str | None
    skip_project: bool
    management_token: str = field(default="", repr=False)
    api_key: str = field(default="", repr=False)


@frozen
class Done:
    """@ivar token: the secret, C{""} if there is none, or if it went to a file."""

    plan: Plan
    project_id: str = ""
    token: str = field(default="", repr=False)

    def words(self) -> list[str]:
        plan = self.plan
        lines = [
            f"Configuration written to {plan.config}: variables and secrets, for you alone",
            f"{plan.apis}: the APIs",
            "",
        ]
        if self.project_id:
            lines.append(f"Project  {plan.project} ({self.project_id})")
            where = f"in {plan.token_file}" if plan.token_file else f"{self.token}  (shown this once)"
            lines += [f"Token    {where}", ""]
        lines += [f"Start    llmproxy serve --env {plan.config}", f"         twistd -n llmproxy --env {plan.config}"]
        if self.project_id:
            given = f"--token-file {plan.token_file}" if plan.token_file else "(with PROXY_TOKEN set)"
            lines.append(f"Try      llmproxy chat --proxy http://{_connectable(plan.addr)} {given}")
        return lines

    def plain(self) -> dict[str, Any]:
        found = {"config": self.plan.config, "apis": self.plan.apis, "database": self.plan.db}
        made = {"project_id": self.project_id, "token": self.token, "token_file": self.plan.token_file}
        return found | {name: value for name, value in made.items() if value}


def carry_out(plan: Plan, there: Mapping[str, str]) -> Done:
    """
    Write the files, then make the rows.

    @param there: variables that are kept as they are, unless the plan names them.
    @raise Fault: something is wrong with the plan, or cannot be written; nothing secret is in the words.
    """
    plan = evolve(
        plan,
        db=plan.db or there.get("DATABASE_PATH") or DEFAULT_DATABASE,
        addr=plan.addr or there.get("LISTEN_ADDR") or DEFAULT_ADDRESS,
        apis=plan.apis or there.get("API_CONFIG_PATH") or DEFAULT_APIS,
    )
    variables = _variables(plan, there)
    key = _checked(plan, variables)
    write_private(plan.config, _COMMENT + "".join(f"{name}={_quoted(value)}\n" for name, value in variables.items()))
    write_private(plan.apis, apis_of(plan), mode=0o644)
    if plan.skip_project:
        return Done(plan)
    secret = generate(os.urandom)
    project_id = _make_rows(plan, _database_of(plan, variables), key, secret)
    if plan.token_file:
        write_private(plan.token_file, secret + "\n")
    return Done(plan, project_id, "" if plan.token_file else secret)


def variables_set(path: str, env: Mapping[str, str]) -> dict[str, str]:
    """
    What a proxy that is started here would go by: the environment, and below it what a file of variables says.

    @raise Fault: as L{variables_there}; and where a secret is another in the environment than in the file: what one of
        them encrypts could not be read with the other.
    """
    there = variables_there(path)
    for name in HONOURED:
        value = env.get(name, "").strip()
        if not value:
            continue
        if name in SECRET and there.get(name, value) != value:
            raise Conflicting(f"{name} is set in the environment, and is another one in {path}: unset one of them")
        there[name] = value
    for name in SECRET:
        if there.get(name) and there.get(f"{name}_FILE"):
            raise Conflicting(
                f"{name} is set, and so is {name}_FILE, in the environment or in {path}: unset one of them"
            )
    return there


def names_database(variables: Mapping[str, str]) -> bool:
    """Whether there is a DATABASE_URL, which stands above DATABASE_PATH."""
    return bool(variables.get("DATABASE_URL") or variables.get("DATABASE_URL_FILE"))


def key_text(there: Mapping[str, str]) -> str:
    """
    The encryption key that is set already, in clear or in a file; C{""} if none is.

    @raise Fault: the file cannot be read.
    """
    text, path = there.get("ENCRYPTION_KEY", ""), there.get("ENCRYPTION_KEY_FILE", "")
    if text.startswith("file:"):
        path = text.removeprefix("file:")
    return read_secret_file(path) if path else text


def variables_there(path: str) -> dict[str, str]:
    """
    What a file of variables says; nothing if it is not there.

    @raise Fault: it cannot be read, or understood: then it is not replaced either.
    """
    problems = Problems(path)
    try:
        with open(path, encoding="utf-8") as file:
            found = parse_dotenv(file.read(), problems)
        problems.fail()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, ConfigError) as error:
        raise Fault(f"{path}: {error}") from None
    return found


def apis_of(plan: Plan) -> str:
    """The YAML of one provider."""
    provider = SETUPS[plan.provider]
    setup = provider.setup
    assert setup is not None
    endpoints = "".join(f"      - {path}\n" for path in setup.endpoints)
    return (
        "# Every key that there is: config/apis.yaml of llmproxy. Checked with: llmproxy check\n"
        f"default_api: {plan.provider}\n\napis:\n  {plan.provider}:\n"
        f"    base_url: {plan.base_url or setup.base_url}\n"
        f"    auth: {provider.auth}\n    dialect: {provider.dialect}\n"
        f"    allowed_methods: [GET, POST, DELETE]\n    allowed_endpoints:\n{endpoints}"
    )


def write_private(path: str, text: str, mode: int = 0o600) -> None:
    """
    Replace a file in one step.

    @raise Fault: it cannot be written.
    """
    directory = os.path.dirname(path) or "."
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        fd, made = tempfile.mkstemp(dir=directory, prefix=".llmproxy-")
        try:
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                os.fchmod(file.fileno(), mode)
                file.write(text)
            os.replace(made, path)
        except BaseException:
            os.unlink(made)
            raise
    except OSError as error:
        raise Fault(f"{path}: cannot be written: {error.strerror}") from None


def _variables(plan: Plan, there: Mapping[str, str]) -> dict[str, str]:
    made = {"LISTEN_ADDR": plan.addr, "API_CONFIG_PATH": plan.apis}
    if not names_database(there):
        made["DATABASE_PATH"] = plan.db
    if plan.management_token:
        there = {name: value for name, value in there.items() if name != "MANAGEMENT_TOKEN_FILE"}
        made["MANAGEMENT_TOKEN"] = plan.management_token
    elif not (there.get("MANAGEMENT_TOKEN") or there.get("MANAGEMENT_TOKEN_FILE")):
        made["MANAGEMENT_TOKEN"] = os.urandom(32).hex()
    if not key_text(there):
        made["ENCRYPTION_KEY"] = b64encode(os.urandom(32)).decode("ascii")
    return {**there, **made}


def _checked(plan: Plan, variables: Mapping[str, str]) -> bytes:
    """
    The encryption key.

    @raise Fault: the proxy would not start with this.
    """
    try:
        check_endpoint(endpoint_description(plan.addr))
        key = parse_encryption_key(key_text(variables))
    except ValueError as error:
        raise Fault(str(error)) from None
    if plan.base_url is not None:
        from ..config.rules import base_url

        try:
            base_url(plan.base_url)
        except ValueError as error:
            raise Fault(f"--base-url: {error}") from None
    if not plan.skip_project:
        _check_project(plan)
    return key


def _check_project(plan: Plan) -> None:
    for option, check, value in (
        ("--project", check_name, plan.project),
        (f"the API key of {plan.provider}", check_api_key, plan.api_key),
    ):
        try:
            check(value)
        except ProxyError as error:
            words = f"{error.message}: {error.description}" if error.description else error.message
            raise Fault(f"{option}: {words}") from None


def _database_of(plan: Plan, variables: Mapping[str, str]) -> str:
    """The URL of the database that a proxy with these variables opens."""
    from .storage import storage_of

    return storage_of(None, None, variables).database_url if names_database(variables) else sqlite_url(plan.db)


def _make_rows(plan: Plan, url: str, key: bytes, secret: str) -> str:
    """The id of the project."""
    from ..providers.registry import Binding
    from ..store.engine import open_database
    from ..store.threads import NoThreads

    clock = Clock()
    clock.advance(time.time())
    database = open_database(clock, url, encryption_key=key, threads=NoThreads, binding=Binding(plan.provider))
    try:
        _result(database.start())
        state = State(clock.seconds, database.projects, database.tokens)
        project: Project = _result(Deferred.fromCoroutine(_create(plan, state, secret)))
    except DuplicateName:
        raise Conflicting(f"{plan.db}: there is a project {plan.project} already; --project names another") from None
    except ConfigError as error:
        raise Fault("; ".join(error.problems)) from None
    finally:
        _result(database.close())
    return project.id


async def _create(plan: Plan, state: State, secret: str) -> Project:
    keys = {plan.provider: plan.api_key} if plan.api_key else {}
    project = await ProjectRules(state, KnownApis((plan.provider,), plan.provider)).create(plan.project, "", keys)
    await TokenRules(state).issue(TokenRequest(project.id, plan.duration), secret)
    return project


def _result(deferred: Deferred[Any]) -> Any:
    """Of what has happened already, as everything does without threads."""
    found: list[Any] = []
    failed: list[Any] = []
    deferred.addCallbacks(found.append, failed.append)
    if failed:
        failed[0].raiseException()
    return found[0]


def _quoted(value: str) -> str:
    """As a file of variables has it."""
    plain = value.isascii() and value.isprintable() and not set(value) & set(" #'\"\\")
    if plain:
        return value
    return '"' + value.translate(_ESCAPED) + '"'


def _connectable(address: str) -> str:
    match = _TCP.fullmatch(address)
    if match is not None:
        return f"{match[2] or 'localhost'}:{match[1]}"
    return f"localhost{address}" if address.startswith(":") else address
