"""
Keys and teams of LiteLLM as values of ours, or why one cannot be one.

They come as its API shows them: C{/key/list?return_full_object=true}, C{/key/info}, C{/v2/key/info}, C{/key/generate},
C{/team/list}, C{/team/info}. A team is a project, a key a token: LiteLLM too keeps the SHA-256 of a key, and those that
it makes have our form, C{sk-} and 22 characters (C{litellm/proxy/management_endpoints/key_management_endpoints.py}).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any
from uuid import uuid5

from attrs import define, evolve, field

from ..core.tokens import is_well_formed
from ..errors import ProxyError
from ..message import Project, Token
from ..usagelimits import UNLIMITED, UsageLimits
from .checks import check_expiry, check_name
from .importing import (
    HASHED_HINT,
    IDS,
    UNKEPT,
    Row,
    Unfit,
    id_in,
    id_of,
    moment_in,
    notes_of,
    ruled,
    same_moment,
    secret_of,
    text_in,
)
from .limits import check_together, checked

DASHBOARD = "litellm-dashboard"
"""The team of the keys that its pages make for who signs in."""

_COUNTS = ("rpm_limit", "tpm_limit", "max_parallel_requests")
_ALL_MODELS = frozenset({"all-proxy-models", "all-team-models", "*"})
_ALL_ROUTES = frozenset({"llm_api_routes", "openai_routes"})
_OTHER_KEYS = frozenset({"management", "read_only"})
_SECONDS = re.compile(r"([1-9][0-9]{0,6})s")
_ABBREVIATED = re.compile(r"sk-\.\.\.([A-Za-z0-9_-]{4})")
_MOST = 2**53 - 1

NO_PLACE = (
    "aliases config permissions model_max_budget budget_limits budget_fallbacks router_settings object_permission_id "
    "allowed_cache_controls access_group_ids agent_id policies guardrails tpd_limit model_aliases auto_rotate "
    "team_member_permissions default_team_member_models"
).split()
"""Fields that mean something there, and have no place here."""

_NO_PLACE_IN_METADATA = "model_rpm_limit model_tpm_limit guardrails policies logging tags".split()


@define
class Found:
    """
    What documents of its API hold.

    @ivar bare: keys of which nothing but the hash is there, as without C{return_full_object}.
    @ivar others: objects that are no key and no team.
    """

    teams: dict[str, Row] = field(factory=dict)
    keys: list[Row] = field(factory=list)
    bare: int = 0
    others: int = 0

    def take(self, document: Any) -> None:
        """
        One document more, or a list of them; a key or a team that is there twice is taken as it comes first.

        @raise Unfit: it is none.
        """
        if isinstance(document, list):
            for each in document:
                self._take_one(each)
        elif not isinstance(document, dict):
            raise Unfit("expected objects as LiteLLM's API shows them")
        elif isinstance(document.get("keys"), list) and "team_id" not in document:
            self.take(document["keys"])
        elif isinstance(document.get("teams"), list) and "user_id" not in document:
            self.take(document["teams"])
        else:
            self._take_one(document)

    def _take_one(self, each: Any) -> None:
        if isinstance(each, str):
            self.bare += 1
        elif not isinstance(each, dict):
            self.others += 1
        elif isinstance(each.get("info"), dict | list):
            self._take_info(each)
        elif isinstance(each.get("team_info"), dict):
            self.take([each["team_info"], *_listed(each.get("keys"))])
        elif each.get("token") or each.get("key"):
            self.keys.append(each)
        elif each.get("team_id"):
            self.teams.setdefault(str(each["team_id"]), each)
            self.take(_listed(each.get("keys")))
        else:
            self.others += 1

    def _take_info(self, each: Row) -> None:
        infos = each["info"] if isinstance(each["info"], list) else [each["info"]]
        named = each.get("key") if isinstance(each.get("key"), list) else [each.get("key")]
        for number, info in enumerate(infos):
            key = named[number] if isinstance(named, list) and number < len(named) else None
            if isinstance(info, dict):
                self._take_one(info if info.get("token") or not key else {**info, "token": key})

    def projects(self, name: str | None) -> Iterator[Row]:
        """
        A row for each team, also for those of which only a key tells.

        @param name: of one more, for keys that have no team; C{None} where it is not needed, or there.
        """
        named = {str(key["team_id"]): key for key in self.keys if key.get("team_id")}
        for team_id, key in named.items():
            if team_id != DASHBOARD and team_id not in self.teams:
                yield {"team_id": team_id, "team_alias": key.get("team_alias"), "of_key": True}
        yield from self.teams.values()
        if name is not None and any(not key.get("team_id") for key in self.keys):
            yield {"team_id": default_project(name), "team_alias": name}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def default_project(name: str) -> str:
    """The id of the project for keys that have no team: always the same for one name."""
    return str(uuid5(IDS, f"litellm {name}"))


class LiteLLM:
    """
    Its rows as values.

    @param project_id: where keys go that have no team.
    @param now: seconds since the epoch: when a team was made that does not say it.
    """

    def __init__(self, project_id: str, now: float) -> None:
        self._project_id = project_id
        self._now = now

    def project(self, row: Row, opened: Callable[[str], str]) -> tuple[Project, str]:
        """It has no upstream key: those of LiteLLM are its models'."""
        team_id = id_in({"id": row.get("team_id")})
        name = text_in(row, "team_alias") or team_id
        ruled("team_alias", check_name, name)
        created_at = moment_in(row, "created_at") or self._now
        is_active = not row.get("blocked")
        project = Project(
            team_id,
            name,
            is_active=is_active,
            deactivated_at=None if is_active else created_at,
            created_at=created_at,
            updated_at=moment_in(row, "updated_at") or created_at,
            limits=_limits(row),
        )
        return project, ""

    def token(self, row: Row, now: float) -> Token:
        if row.get("team_id") == DASHBOARD:
            raise Unfit("it is a session of LiteLLM's pages")
        if row.get("key_type") in _OTHER_KEYS:
            raise Unfit(f"key_type: {row['key_type']} keys ask no models, llmproxy admin create makes who manages")
        digest, shown = secret_of(_secret(row))
        name = text_in(row, "key_alias") or None
        if name is not None:
            ruled("key_alias", check_name, name)
        expires_at = moment_in(row, "expires")
        if expires_at is not None and expires_at > now:
            ruled("expires", lambda at: check_expiry(at, now), expires_at)
        is_active = not row.get("blocked")
        return Token(
            id_of(digest),
            digest,
            _hint(row, shown),
            text_in(row, "team_id") or self._project_id,
            expires_at,
            is_active=is_active,
            deactivated_at=None if is_active else now,
            created_at=moment_in(row, "created_at") or now,
            last_used_at=moment_in(row, "last_active"),
            name=name,
            metadata=notes_of(_notes(row)),
            limits=_limits(row),
        )

    def remarks(self, row: Row, made: Project | Token) -> Iterator[str]:
        if isinstance(made, Project):
            if row.get("of_key"):
                yield "no team that was given has this id: its limits are not known (/team/list has them)"
        elif made.metadata is None and _notes(row):
            yield UNKEPT
        yield from _unplaced(row)
        yield from _of_spend(row, made.limits)

    def is_same(self, created_at: float, project: Project) -> bool:
        """Ids of teams are LiteLLM's, or made of a name; ours are random."""
        return project.created_at == self._now or same_moment(created_at, project.created_at)


def _secret(row: Row) -> str:
    """The key itself where it is there, else its hash."""
    plain = row.get("key")
    secret = plain if isinstance(plain, str) and plain.startswith("sk-") else text_in(row, "token") or str(plain or "")
    if secret.startswith("sk-") and not is_well_formed(secret.encode("utf-8", "replace")):
        raise Unfit("it is not sk- and 22 characters of base64url: give its user a new token")
    name = row.get("key_name")
    if isinstance(name, str) and name and not name.startswith("sk-"):
        raise Unfit("key_name: it does not begin with sk-: give its user a new token")
    return secret


def _hint(row: Row, shown: str) -> str:
    """With the last four characters, which LiteLLM shows too."""
    match = _ABBREVIATED.fullmatch(str(row.get("key_name") or ""))
    return f"sk-{'*' * 18}{match[1]}" if match is not None and shown == HASHED_HINT else shown


def _limits(row: Row) -> UsageLimits:
    """@raise Unfit: one of them cannot be one here."""
    said = {**_counts(row), **_budget(row), **_allowed(row)}
    if not said:
        return UNLIMITED
    try:
        limits = evolve(UNLIMITED, **checked(said, None))
        check_together(limits, defaults=False)
    except ProxyError as error:
        raise Unfit(f"{error.message}: {error.description}" if error.description else error.message) from None
    return limits


def _of(row: Row, name: str) -> Any:
    """A field, or where it says nothing that of the budget that the row refers to."""
    table = row.get("litellm_budget_table")
    value = row.get(name)
    return table.get(name) if value is None and isinstance(table, Mapping) else value


def _counts(row: Row) -> dict[str, int]:
    found = {name: _of(row, name) for name in _COUNTS}
    for name, value in found.items():
        whole = isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
        if value is not None and not (whole and 0 <= value <= _MOST):
            raise Unfit(f"{name}: expected a whole number from 0")
    return {name: int(value) for name, value in found.items() if value is not None}


def _budget(row: Row) -> dict[str, str]:
    most, soft, duration = _amount(row, "max_budget"), _amount(row, "soft_budget"), _of(row, "budget_duration")
    if most is None or duration in (None, ""):
        most, duration = _left(row, most), None
    if most is not None and soft is not None and Decimal(soft) > Decimal(most):
        # It would never warn.
        soft = None
    said = {"max_budget": most, "soft_budget": soft, "budget_duration": duration and _duration(str(duration))}
    return {name: value for name, value in said.items() if value is not None}


def _left(row: Row, budget: str | None) -> str | None:
    """
    Of a budget that never begins anew what is left: what was spent of it is known there alone.
    """
    spent = _amount(row, "spend")
    if budget is None or spent is None:
        return budget
    return format(max(Decimal(0), Decimal(budget) - Decimal(spent)), "f")


def _amount(row: Row, name: str) -> str | None:
    value = _of(row, name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 10**12:
        raise Unfit(f"{name}: expected an amount of USD")
    # To the twelfth place, which is as exact as amounts are here.
    text = format(round(Decimal(repr(value)), 12), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _duration(text: str) -> str:
    """Seconds, which budgets do not have here, as minutes."""
    match = _SECONDS.fullmatch(text)
    if match is None:
        return text
    if int(match[1]) % 60:
        raise Unfit(f"budget_duration: {text} is no number of whole minutes")
    return f"{int(match[1]) // 60}m"


def _allowed(row: Row) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    models = _texts(row, "models")
    if models and not _ALL_MODELS & set(models):
        found["models"] = models
    routes = _texts(row, "allowed_routes")
    if routes and not _ALL_ROUTES & set(routes):
        paths = [each for each in routes if each.startswith("/")]
        if not paths:
            raise Unfit(f"allowed_routes: {', '.join(routes)[:80]} has no path of a model")
        found["endpoints"] = paths
    return found


def _texts(row: Row, name: str) -> list[str]:
    value = row.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise Unfit(f"{name}: expected a list of names")
    return value


def _notes(row: Row) -> dict[str, str]:
    """Whose it was, and what is noted of it that is plain: settings of loggers among it may have secrets."""
    metadata = row.get("metadata")
    plain = metadata.items() if isinstance(metadata, Mapping) else ()
    found = {name: str(value) for name, value in plain if isinstance(value, str | int | float) and value != ""}
    user = row.get("user_id")
    return {**found, "litellm_user_id": user} if isinstance(user, str) and user else found


def _unplaced(row: Row) -> Iterator[str]:
    metadata = row.get("metadata")
    inner = metadata if isinstance(metadata, Mapping) else {}
    names = [name for name in NO_PLACE if row.get(name)]
    names += [f"metadata.{name}" for name in _NO_PLACE_IN_METADATA if inner.get(name)]
    if names:
        yield f"has no place here: {', '.join(names)}"


def _of_spend(row: Row, limits: UsageLimits) -> Iterator[str]:
    spent = row.get("spend")
    if not isinstance(spent, int | float) or not spent or not isinstance(limits.max_budget, Decimal):
        return
    if isinstance(limits.budget_duration, str):
        yield f"{spent:.2f} USD spent of its budget there are not counted here, until the budget begins anew"
    else:
        yield f"{spent:.2f} USD of its budget are spent: max_budget is what is left, {limits.max_budget} USD"
