"""A look at the configuration and the environment."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from ..config.dotenv import parse_dotenv
from ..config.problems import Problems
from ..config.variables import EFFECTIVE, SECRETS, without_effect
from ..core.doctor.configuration import ConfigurationFacts
from ..core.doctor.variables import SecretFile, VariablesFacts
from .subject import Subject

UNREAD = ".env"


def mode_of(path: str) -> int | None:
    """The permissions of a file; C{None} if they cannot be seen."""
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except OSError:
        return None


def look_at_configuration(subject: Subject) -> ConfigurationFacts:
    """What is wrong with the file of the APIs, and with what stands beside it."""
    apis = subject.apis
    idle = () if apis is None else tuple(name for name, api in apis.apis.items() if _is_idle(api))
    # Variables without effect have a check of their own.
    warnings = tuple(each for each in subject.warnings if "without effect" not in each)
    return ConfigurationFacts(
        path=subject.path,
        exists=os.path.exists(subject.path),
        mode=mode_of(subject.path),
        apis=() if apis is None else tuple(apis.apis),
        default="" if apis is None else apis.default_api,
        problems=subject.problems,
        warnings=warnings,
        idle_keys=idle,
    )


def _is_idle(api: object) -> bool:
    has_key = getattr(api, "key", None) is not None or any(each.key for each in getattr(api, "upstreams", ()))
    return has_key and not getattr(api, "own_key_for", None)


def look_at_variables(subject: Subject, directory: str = ".") -> VariablesFacts:
    """What the environment says, names only."""
    env, dotenv = subject.env, subject.dotenv
    unread = os.path.join(directory, UNREAD)
    known = [*EFFECTIVE, *(f"{name}_FILE" for name in SECRETS)]
    return VariablesFacts(
        names=tuple(sorted(name for name, value in env.items() if value)),
        known=frozenset(known),
        idle=tuple(without_effect(env)),
        dotenv=dotenv or "",
        unread=os.path.normpath(unread) if dotenv is None and os.path.isfile(unread) else "",
        hidden=tuple(_hidden(subject)),
        files=tuple(_files(subject)),
    )


def _hidden(subject: Subject) -> Iterator[str]:
    """Variables of the file whose values the environment replaces by others."""
    if subject.dotenv is None:
        return
    try:
        with open(subject.dotenv, encoding="utf-8") as file:
            said = parse_dotenv(file.read(), Problems(subject.dotenv))
    except (OSError, UnicodeDecodeError):
        return
    for name, value in said.items():
        other = subject.given.get(name, "")
        if other and value and other != value:
            yield name


def _files(subject: Subject) -> Iterator[SecretFile]:
    if subject.dotenv is not None:
        yield SecretFile("the file of variables", subject.dotenv, mode_of(subject.dotenv))
    for name in SECRETS:
        text = subject.env.get(name, "")
        path = subject.env.get(f"{name}_FILE", "") or (text.removeprefix("file:") if text.startswith("file:") else "")
        if path:
            yield SecretFile(name, path, mode_of(path))
