"""Scopes of budgets as questions about usage: what a ledger has of what a rule counts together."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

from attrs import evolve

from ..glob import any_of
from ..reports import Key, UsageQuestion
from .values import Rule

_PATTERN = frozenset("*?[")


def question_of(rule: Rule, since: float | None, until: float | None = None) -> UsageQuestion | None:
    """
    The question whose rows, those that L{counts} takes, add up to what was spent of a rule; C{None} where no ledger
    says that: addresses are not kept, and of users and tags one at a time.

    @param since: seconds since the epoch.
    """
    scope, *selected = rule.scope.split("|")
    question: UsageQuestion | None = UsageQuestion(since=since, until=until)
    for number, part in enumerate((scope, *selected)):
        if question is not None:
            question = _narrowed(question, part, is_scope=number == 0)
    return question


def counts(rule: Rule, keys: Mapping[str, Key]) -> bool:
    """Whether a row of the answer is of the rule."""
    scope, *selected = rule.scope.split("|")
    kind, _, value = scope.partition(":")
    if kind == "user" and keys.get("user") != unquote(value.partition(":")[2]):
        return False
    if kind == "tag":
        name, _, said = value.partition(":")[2].partition("=")
        if keys.get(f"tag:{unquote(name)}") != unquote(said):
            return False
    return all(_fits(part, keys) for part in selected)


def _narrowed(question: UsageQuestion, part: str, is_scope: bool) -> UsageQuestion | None:
    kind, _, value = part.partition(":") if is_scope else part.partition("=")
    if kind in ("token", "project") and is_scope:
        return evolve(question, tokens=(value,)) if kind == "token" else evolve(question, projects=(value,))
    if kind == "all":
        return question
    if kind == "person":
        return evolve(question, persons=(value,))
    if kind == "api":
        return evolve(question, apis=(unquote(value),))
    if kind == "project":
        return evolve(question, projects=(unquote(value),))
    if kind == "model":
        model = unquote(value)
        if _PATTERN.isdisjoint(model):
            return evolve(question, models=(model,))
        return evolve(question, group_by=(*question.group_by, "model"))
    if question.persons or len(question.group_by) > ("model" in question.group_by):
        return None
    if kind == "user":
        if not is_scope:
            return evolve(question, group_by=(*question.group_by, "user"))
        owner = value.partition(":")[0]
        return evolve(question, projects=(owner,), group_by=(*question.group_by, "user"))
    if kind == "tag":
        owner, _, pair = value.partition(":")
        name = unquote(pair.partition("=")[0])
        return evolve(question, projects=(owner,), group_by=(*question.group_by, f"tag:{name}"))
    if kind.startswith("tag."):
        return evolve(question, group_by=(*question.group_by, f"tag:{unquote(kind[4:])}"))
    return None


def _fits(part: str, keys: Mapping[str, Key]) -> bool:
    kind, _, value = part.partition("=")
    if kind == "model" and "model" in keys:
        return any_of((unquote(value),)).fullmatch(str(keys["model"] or "")) is not None
    if kind == "user":
        return keys.get("user") == unquote(value)
    if kind.startswith("tag."):
        return keys.get(f"tag:{unquote(kind[4:])}") == unquote(value)
    return True
