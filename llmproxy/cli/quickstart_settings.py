"""The settings of C{llmproxy quickstart}, and how they are known when it does not run."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from ..errors import ConfigError
from .datadirectory import DataDirectory

if TYPE_CHECKING:
    from ..app.settings import Settings
    from ..config import APIConfig
    from ..doctor.subject import Subject

OPENAI = "https://api.openai.com"
DATABASE = "llmproxy.db"

_ENDPOINTS = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/embeddings",
    "/v1/models",
    "/v1/files",
    "/v1/audio",
    "/v1/images",
    "/v1/moderations",
)


def apis_of(base_url: str, demo: bool) -> APIConfig:
    """What is served: the demo upstream speaks as Anthropic too."""
    from ..config import APIConfig, APIProviderConfig
    from ..providers.registry import AUTH

    apis = {
        "openai": APIProviderConfig(
            base_url=base_url,
            allowed_endpoints=_ENDPOINTS,
            allowed_methods=["GET", "POST", "DELETE"],
            dialect="openai",
        )
    }
    if demo:
        apis["anthropic"] = APIProviderConfig(
            base_url=base_url,
            allowed_endpoints=["/v1/messages", "/v1/models"],
            allowed_methods=["GET", "POST"],
            auth=AUTH["x-api-key"],
            dialect="anthropic",
        )
    config = APIConfig(apis, "openai")
    config.validate()
    return config


def settings_of(data: DataDirectory, apis: APIConfig, listen: Sequence[str]) -> Settings:
    """
    The settings of a start; secrets that are not there yet are made.

    @param listen: endpoints.
    """
    from ..app.settings import Settings
    from ..config.databases import parse_encryption_key
    from ..core.audit.settings import AuditOptions

    management = data.kept("management-token", lambda: os.urandom(32).hex())
    encryption = data.kept("encryption-key", lambda: b64encode(os.urandom(32)).decode())
    return Settings(
        apis=apis,
        management_token=management,
        encryption_key=parse_encryption_key(encryption),
        database_url="sqlite:///" + data.file(DATABASE),
        listen=listen,
        access_log=data.file("access.log"),
        audit=AuditOptions(data.file("audit.log")),
        admin_ui=True,
    )


def subject_of_quickstart(path: str, given: Mapping[str, str], *, offline: bool = False) -> Subject:
    """
    What is examined of a quickstart: as it ran last, or as it runs. Nothing is made.

    @param path: its directory.
    @param given: the environment, of which it reads C{OPENAI_API_KEY} alone.
    """
    from ..doctor.subject import Subject

    data = DataDirectory(path)
    if not os.path.isfile(data.file(DATABASE)):
        raise click.UsageError(f"{path}: is not the directory of llmproxy quickstart, or it has not been started yet")
    settings, problems = None, []
    upstream, listen = OPENAI, []
    try:
        upstream = data.read("upstream") or upstream
        address = urlsplit(data.read("address"))
        if address.hostname and address.port:
            listen.append(endpoint(address.hostname, address.port))
        for name in ("management-token", "encryption-key"):
            if not data.read(name):
                problems.append(f"{data.file(name)}: is not there, or empty; the next start makes another one")
    except ConfigError as error:
        problems += error.problems
    demo = urlsplit(upstream).hostname == "127.0.0.1"
    apis = apis_of(upstream, demo)
    if not problems:
        try:
            settings = settings_of(data, apis, listen)
        except ConfigError as error:
            problems += error.problems
    named = {name: text for name, text in given.items() if name == "OPENAI_API_KEY"}
    # The demo upstream lives and ends with the proxy: there is nothing to be asked outside of it.
    return Subject(
        env=named,
        given=named,
        path=path,
        settings=settings,
        apis=apis,
        problems=tuple(problems),
        offline=offline or demo,
    )


def endpoint(host: str, port: int) -> str:
    """The description of an endpoint; C{ConfigError} where it is none."""
    from ..config.listen import endpoint_description

    try:
        return endpoint_description(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    except ValueError as error:
        raise ConfigError(f"--host: {error}") from None
