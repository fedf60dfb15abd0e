"""The verdict on the environment: variables that do nothing or are misspelt, and files of secrets."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from difflib import get_close_matches

from attrs import frozen

from .findings import Finding, note, ok, warning
from .words import READ_BY_OTHERS, mode_words

OURS = ("LLMPROXY_", "LLM_PROXY_", "MANAGEMENT_", "MANAGE_", "HTTP_CACHE_", "REDIS_", "AUDIT_", "DISPATCHER_")
"""How names begin that were meant for the proxy, whatever is wrong with their end."""

NOT_OURS = frozenset(
    {"MANAGEMENT_API_BASE_URL", "MANAGE_API_BASE_URL", "LLM_PROXY_URL", "PROXY_URL", "PROXY_TOKEN", "REDIS_PORT"}
)
"""Variables of commands, and those that orchestrators make."""

_NEAR = 0.86
"""How alike two names have to be; C{MANAGMENT_TOKEN} and C{MANAGEMENT_TOKEN} are 0.97."""

_LIKE = 0.75
"""The same of one that begins as ours do."""


@frozen
class SecretFile:
    """
    A file that holds a secret, or variables.

    @ivar name: what it is for, a variable for example.
    @ivar mode: its permissions; C{None} if they cannot be seen.
    """

    name: str
    path: str
    mode: int | None


@frozen
class VariablesFacts:
    """
    @ivar names: those of all variables that are set.
    @ivar known: those that do something.
    @ivar idle: those that are known and do nothing here.
    @ivar dotenv: the file of variables that is read; C{""} if there is none.
    @ivar unread: a C{.env} that is here and is not read; C{""} if there is none.
    @ivar hidden: variables of the file that the environment says differently.
    @ivar files: files of secrets.
    @ivar visible: secrets that stand in the environment itself.
    """

    names: tuple[str, ...] = ()
    known: Collection[str] = ()
    idle: tuple[str, ...] = ()
    dotenv: str = ""
    unread: str = ""
    hidden: tuple[str, ...] = ()
    files: tuple[SecretFile, ...] = ()
    visible: tuple[str, ...] = ()


def judge_variables(facts: VariablesFacts) -> Iterator[Finding]:
    """What is wrong with the environment."""
    if facts.idle:
        mend = "take them out, or see what they depend on in docs/reference-names.md"
        yield warning(f"set, and without effect here: {', '.join(facts.idle)}", mend)
    for name, other in _misspelt(facts.names, facts.known, facts.idle):
        hint = f"did you mean {other}?" if other else "twistd llmproxy --help lists those that there are"
        yield warning(f"{name} is no variable of llmproxy, and looks like one", hint)
    if facts.unread:
        says = f"{facts.unread} is here and is not read"
        yield note(says, f"llmproxy serve --env {facts.unread} reads it; here, llmproxy doctor --env {facts.unread}")
    for name in facts.hidden:
        says = f"{name}: the environment says something else than {facts.dotenv}, and comes first"
        yield warning(says, f"unset {name}, or take it out of {facts.dotenv}")
    for file in facts.files:
        if file.mode is None:
            yield warning(f"{file.name}: {file.path} cannot be looked at", "see that the proxy's user can read it")
        elif file.mode & READ_BY_OTHERS:
            says = f"{file.name}: other users of the machine can read {file.path} (mode {mode_words(file.mode)})"
            yield warning(says, f"chmod 600 {file.path}")
    used = sorted(set(facts.names) & set(facts.known))
    yield ok(f"{len(used)} variables have an effect{f': {_few(used)}' if used else ''}")


def _few(names: Sequence[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _misspelt(names: Sequence[str], known: Collection[str], idle: Collection[str]) -> Iterator[tuple[str, str]]:
    """Names that are nearly one that is known, or begin as ours do; each with the one that was meant, or C{""}."""
    passed = set(known) | set(idle) | NOT_OURS | {f"{name}_FILE" for name in known}
    for name in names:
        if name in passed or name.endswith(("_SERVICE_HOST", "_SERVICE_PORT")) or "_PORT_" in name:
            continue
        near = get_close_matches(name, known, 1, _NEAR)
        if near:
            yield name, near[0]
        elif name.startswith(OURS):
            yield name, next(iter(get_close_matches(name, known, 1, _LIKE)), "")
