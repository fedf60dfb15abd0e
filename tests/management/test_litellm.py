"""Tests for L{llmproxy.management.litellm}."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.tokens import hint, token_hash
from llmproxy.management.importing import UNKEPT, Unfit
from llmproxy.management.litellm import DASHBOARD, Found, LiteLLM, default_project
from llmproxy.usagelimits import UNLIMITED

from ..tables import row

NOW = 1_767_322_000.0
DIGEST = "ab" * 32
SECRET = "sk-" + "A" * 18 + "VVVV"
KEY: dict[str, Any] = {
    "token": DIGEST,
    "key_name": "sk-...VVVV",
    "models": [],
    "aliases": {},
    "config": {},
    "permissions": {},
    "metadata": {},
    "spend": 0.0,
    "team_id": None,
    "blocked": None,
    "created_at": "2026-01-02T03:04:05.123000Z",
}
FORM = LiteLLM("default", NOW)


def a_key(**changes: Any) -> Any:
    return FORM.token(KEY | changes, NOW)


def limits(**changes: Any) -> dict[str, Any]:
    found = a_key(**changes).limits
    return {name: getattr(found, name) for name in UNLIMITED.__slots__ if getattr(found, name, None) and name[0] != "_"}


class KeyTests(SynchronousTestCase):
    def test_plain(self) -> None:
        """A key is a token with the same hash, the same id each time, and the characters that LiteLLM shows."""
        token = a_key(key_alias="ci", user_id="ann", team_id="t-1", expires="2026-03-01T00:00:00Z")
        self.assertEqual((token.token_hash, token.name, token.project_id), (DIGEST, "ci", "t-1"))
        self.assertEqual((token.id, token.hint), (a_key().id, f"sk-{'*' * 18}VVVV"))
        self.assertEqual((token.created_at, token.expires_at), (1_767_323_045.123, 1_772_323_200.0))
        self.assertEqual(json.loads(token.metadata), {"litellm_user_id": "ann"})
        self.assertTrue(token.is_active)
        self.assertEqual((a_key().project_id, a_key().expires_at, a_key().limits), ("default", None, UNLIMITED))

    def test_blocked(self) -> None:
        """One that is blocked there is none that may be used here."""
        self.assertFalse(a_key(blocked=True).is_active)

    def test_in_clear(self) -> None:
        """Where the key itself is there, as when it is made, its hash is made of it."""
        for fields in ({"token": SECRET}, {"key": SECRET}, {"key": SECRET, "token": None}):
            token = a_key(**fields, key_name=None)
            with row(fields):
                self.assertEqual((token.token_hash, token.hint), (token_hash(SECRET.encode()), hint(SECRET)))
                self.assertNotIn(SECRET, repr(token))

    def test_left_out(self) -> None:
        """What cannot go on working, or be a limit here, is said with the field; no secret is."""
        for fields, words in (
            ({"key": "sk-1234"}, "new token"),
            ({"token": "sk-1234"}, "new token"),
            ({"token": "xyz"}, "expected its SHA-256"),
            ({"key_name": "mine...1234"}, "new token"),
            ({"team_id": DASHBOARD}, "a session of LiteLLM's pages"),
            ({"key_type": "management"}, "key_type: management"),
            ({"expires": "2028-01-01T00:00:00Z"}, "expires"),
            ({"expires": "soon"}, "expires: expected a time"),
            ({"rpm_limit": -1}, "rpm_limit: expected a whole number"),
            ({"tpm_limit": 1.5}, "tpm_limit: expected a whole number"),
            ({"max_budget": "ten"}, "max_budget: expected an amount"),
            ({"max_budget": -1}, "max_budget: expected an amount"),
            ({"max_budget": 1, "budget_duration": "90s"}, "budget_duration: 90s"),
            ({"max_budget": 1, "budget_duration": "soon"}, "budget_duration"),
            ({"models": "gpt-4o"}, "models: expected a list"),
            ({"models": [""]}, "models"),
            ({"allowed_routes": ["management_routes"]}, "allowed_routes"),
            ({"key_alias": "\n"}, "key_alias"),
        ):
            with row(fields):
                said = str(self.assertRaises(Unfit, a_key, **fields))
                self.assertIn(words, said)
                self.assertNotIn("1234", said)

    def test_limits(self) -> None:
        """Rates, budgets, models and paths are limits of the token."""
        self.assertEqual(
            limits(
                rpm_limit=10,
                tpm_limit=1000.0,
                max_parallel_requests=3,
                max_budget=0.1,
                soft_budget=0.05,
                budget_duration="30d",
                models=["gpt-4o", "claude-*"],
                allowed_routes=["/v1/chat/completions", "llm"],
            ),
            {
                "rpm_limit": 10,
                "tpm_limit": 1000,
                "max_parallel_requests": 3,
                "max_budget": Decimal("0.1"),
                "soft_budget": Decimal("0.05"),
                "budget_duration": "30d",
                "models": ("gpt-4o", "claude-*"),
                "endpoints": ("/v1/chat/completions",),
            },
        )

    def test_no_limits(self) -> None:
        """What allows everything there is no limit here, and neither is what says nothing."""
        for fields in (
            {"models": ["all-team-models"]},
            {"models": ["all-proxy-models", "x"]},
            {"models": ["*"]},
            {"allowed_routes": ["llm_api_routes"]},
            {"allowed_routes": [], "models": None, "max_budget": None, "budget_duration": "30d"},
        ):
            with row(fields):
                self.assertEqual(a_key(**fields).limits, UNLIMITED)

    def test_budget_table(self) -> None:
        """A budget that many keys refer to is that of each; what the key says itself comes first."""
        table = {"max_budget": 5.0, "soft_budget": 4.0, "budget_duration": "60s", "rpm_limit": 7}
        found = limits(litellm_budget_table=table, rpm_limit=9)
        self.assertEqual((found["max_budget"], found["budget_duration"], found["rpm_limit"]), (Decimal(5), "1m", 9))

    def test_spent(self) -> None:
        """A budget that never begins anew is what is left of it, and that is said; another is as it was."""
        for spend, left in ((40.5, "59.5"), (100, "0"), (120.0, "0"), (1e-7, "99.9999999")):
            fields = {"max_budget": 100, "soft_budget": 99.99999999, "spend": spend}
            token = a_key(**fields)
            with row(spend):
                self.assertEqual((token.limits.max_budget, bool(token.limits.soft_budget)), (Decimal(left), False))
                (said,) = FORM.remarks(KEY | fields, token)
                self.assertIn("max_budget is what is left", said)
        fields = {"max_budget": 100, "spend": 40, "budget_duration": "1mo"}
        token = a_key(**fields)
        self.assertEqual(token.limits.max_budget, Decimal(100))
        self.assertIn("40.00 USD spent", "".join(FORM.remarks(KEY | fields, token)))
        self.assertEqual([*FORM.remarks(KEY, a_key())], [])

    def test_no_place(self) -> None:
        """What means something there and nothing here is named, and settings of loggers are not kept."""
        fields = {"aliases": {"a": "b"}, "metadata": {"logging": [{"secret": "s3cret"}], "tier": "gold", "n": 1}}
        token = a_key(**fields)
        self.assertEqual([*FORM.remarks(KEY | fields, token)], ["has no place here: aliases, metadata.logging"])
        self.assertEqual(json.loads(token.metadata), {"tier": "gold", "n": "1"})
        many = {"metadata": {f"n{number}": "x" for number in range(17)}}
        self.assertEqual([*FORM.remarks(KEY | many, a_key(**many))], [UNKEPT])


class TeamTests(SynchronousTestCase):
    def test_plain(self) -> None:
        """A team is a project with its limits, and has no upstream key."""
        team = {"team_id": "t-1", "team_alias": "search", "max_budget": 50.0, "budget_duration": "1mo", "blocked": True}
        project, key = FORM.project(team, str)
        self.assertEqual((project.id, project.name, project.is_active, key), ("t-1", "search", False, ""))
        self.assertEqual((project.limits.max_budget, project.created_at), (Decimal(50), NOW))
        self.assertEqual(FORM.project({"team_id": "t-2"}, str)[0].name, "t-2")

    def test_is_same(self) -> None:
        """One that is there under its id is this one, if it was made at the same moment, or nobody says when."""
        dated, _ = FORM.project({"team_id": "t", "created_at": "2026-01-02T03:04:05Z"}, str)
        plain, _ = FORM.project({"team_id": "t"}, str)
        self.assertTrue(FORM.is_same(dated.created_at, dated))
        self.assertFalse(FORM.is_same(5.0, dated))
        self.assertTrue(FORM.is_same(5.0, plain))


class FoundTests(SynchronousTestCase):
    def found(self, *documents: Any) -> Found:
        found = Found()
        for each in documents:
            found.take(each)
        return found

    def test_documents(self) -> None:
        """Keys and teams are found in all that its API shows of them."""
        for document, keys, teams in (
            ({"keys": [KEY, KEY], "total_count": 2}, 2, 0),
            ([KEY], 1, 0),
            (KEY, 1, 0),
            ({"key": DIGEST, "info": {"spend": 1}}, 1, 0),
            ({"key": [DIGEST, DIGEST], "info": [{"spend": 1}, {"spend": 2}]}, 2, 0),
            ([{"team_id": "t", "keys": [KEY]}, {"team_id": "u"}], 1, 2),
            ({"team_id": "t", "team_info": {"team_id": "t"}, "keys": [KEY]}, 1, 1),
            ({"teams": [{"team_id": "t"}]}, 0, 1),
            ([], 0, 0),
        ):
            found = self.found(document)
            with row(document):
                self.assertEqual((len(found.keys), len(found.teams)), (keys, teams))
                self.assertTrue(all(key["token"] == DIGEST for key in found.keys))

    def test_what_is_none(self) -> None:
        """Hashes alone are counted, as they say nothing; what is no document is refused."""
        self.assertEqual(self.found({"keys": [DIGEST, DIGEST]}).bare, 2)
        self.assertEqual(self.found([{"x": 1}, 5]).others, 2)
        for document in ("x", 5, None):
            with row(document):
                self.assertRaises(Unfit, self.found, document)

    def test_projects(self) -> None:
        """Each team that a key names is a project, and there is one for keys without a team, where that is needed."""
        found = self.found([{**KEY, "team_id": "t", "team_alias": "search"}, KEY, {**KEY, "team_id": DASHBOARD}])
        rows = [*found.projects("litellm")]
        self.assertEqual([each["team_id"] for each in rows], ["t", default_project("litellm")])
        self.assertIn("limits are not known", "".join(FORM.remarks(rows[0], FORM.project(rows[0], str)[0])))
        self.assertEqual([each["team_id"] for each in found.projects(None)], ["t"])
        found.take([{"team_id": "t", "team_alias": "search", "rpm_limit": 5}])
        self.assertEqual([each.get("rpm_limit") for each in found.projects(None)], [5])
