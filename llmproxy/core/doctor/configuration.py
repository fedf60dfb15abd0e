"""The verdict on a configuration: the file of the APIs and the variables that go with it."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from .findings import Finding, fault, note, ok, warning
from .words import WRITTEN_BY_OTHERS, mode_words


@frozen
class ConfigurationFacts:
    """
    @ivar path: of the file of the APIs.
    @ivar exists: whether it is there.
    @ivar mode: its permissions; C{None} where that is not known.
    @ivar apis: the names of those that it serves; empty where it is wrong.
    @ivar default: the one that is served at /.
    @ivar problems: everything that is wrong with it or with the variables.
    @ivar warnings: what the proxy would warn of at its start.
    @ivar idle_keys: names of APIs that have a key of their own which no project may use.
    """

    path: str
    exists: bool = True
    mode: int | None = None
    apis: tuple[str, ...] = ()
    default: str = ""
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    idle_keys: tuple[str, ...] = ()


def judge_configuration(facts: ConfigurationFacts) -> Iterator[Finding]:
    """What is wrong with a configuration; a line for each problem."""
    if not facts.exists:
        yield fault(
            f"{facts.path}: the file of the APIs is not there",
            "name it with --config or API_CONFIG_PATH; llmproxy setup writes one",
        )
    for problem in facts.problems:
        if facts.exists or not problem.startswith(facts.path):
            yield fault(problem, "the proxy does not start with it: correct what the line names")
    for sentence in facts.warnings:
        yield warning(sentence, _mend(sentence))
    if facts.mode is not None and facts.mode & WRITTEN_BY_OTHERS:
        says = f"{facts.path}: other users of the machine can write it (mode {mode_words(facts.mode)})"
        yield warning(says, f"chmod go-w {facts.path}: who writes it decides where keys are sent")
    for name in facts.idle_keys:
        says = f"{name}: its key can be used by no project"
        yield warning(says, f"say in apis.{name}.own_key_for which projects may use it, or take the key away")
    if facts.problems or not facts.exists:
        return
    if not facts.apis:
        yield note(f"{facts.path}: no API is configured")
    else:
        others = ", ".join(name for name in facts.apis if name != facts.default)
        yield ok(f"{facts.path}: serves {facts.default} at /{f', and {others} below their names' if others else ''}")


_MENDS = {
    "ENCRYPTION_KEY": "set ENCRYPTION_KEY to what openssl rand -base64 32 prints, then run llmproxy encryption migrate",
    "without effect": "take them out: nothing here reads them",
    "admin pages": "give the pages a listener of their own with --manage-listen",
    "MANAGEMENT_TOKEN": "make another one: openssl rand -base64 32",
    "METRICS_TOKEN": "make another one: openssl rand -base64 32",
}


def _mend(sentence: str) -> str:
    return next((mend for word, mend in _MENDS.items() if word in sentence), "see what the sentence names")
