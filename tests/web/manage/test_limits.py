"""Limits of tokens and projects over the management API."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timezone
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, succeed

from llmproxy.core.limits.values import PICO, LimitRule, Rule, UsageLimitSettings
from llmproxy.core.limits.windows import window_of
from llmproxy.management.limits import Left
from llmproxy.management.state import State
from llmproxy.usagelimits import UsageLimits

from ...tables import row
from .api import ManageTestCase

STATED = {
    "rpm_limit": 60,
    "tpm_limit": None,
    "max_parallel_requests": 0,
    "max_budget": "50.25",
    "budget_duration": "1mo",
    "soft_budget": "40",
    "hard_budget": True,
    "over_budget": "downgrade",
    "downgrade": {"gpt-5": "gpt-5-mini"},
    "models": ["gpt-4o*", "gpt-5"],
    "apis": ["openai"],
    "endpoints": ["/v1/chat/completions"],
    "source_addresses": ["10.0.0.0/8", "2001:db8::1"],
}


@frozen
class Half:
    """Half of each limit is left."""

    settings: UsageLimitSettings

    def left(self, rules: Sequence[Rule]) -> Deferred[Sequence[Left]]:
        now = 1_700_000_000.25
        return succeed(
            [
                Left(rule, rule.limit // 2, window_of(rule.window, now, timezone.utc)[1] if rule.window else None)
                for rule in rules
            ]
        )


class LimitsCase(ManageTestCase):
    settings = UsageLimitSettings()

    def resource(self, projects: Any = None, tokens: Any = None, **more: Any) -> Any:
        database = self.database
        parts = (projects or database.projects, tokens or database.tokens, self.directory, self.quota)
        state = State(self.clock.seconds, *parts, limits=Half(self.settings))
        return super().resource(**{"state": state, **more})

    def setUp(self) -> None:
        super().setUp()
        self.project_id = self.project()
        self.token_id, self.secret = self.token(self.project_id)
        self.places = (f"/tokens/{self.token_id}", f"/projects/{self.project_id}")

    def stated(self, shown: dict[str, Any]) -> dict[str, Any]:
        return {name: shown[name] for name in STATED if name in shown}


class FieldTests(LimitsCase):
    def test_new(self) -> None:
        """What is stated of a new token or project is shown, and what is not is not."""
        made = self.ask("POST", "/projects", {"name": "limited", "api_keys": {}, **STATED})
        self.assertEqual((made.status, self.stated(made.json)), (201, STATED))
        token_id, secret = self.token(made.json["id"], **STATED)
        self.assertEqual(self.stated(self.ask("GET", f"/tokens/{token_id}").json), STATED)
        self.assertEqual(self.principal(secret).token.limits.rpm_limit, 60)
        for place in self.places:
            with row(place):
                self.assertEqual(self.stated(self.ask("GET", place).json), {})
        self.assertEqual(self.notes.events[-4][3]["limits"]["max_budget"], "50.25")  # type: ignore[index]

    def test_three_states(self) -> None:
        """What is left out stays, null is no limit, and unset_limits says nothing again; in force at once."""
        self.principal(self.secret)
        for place in self.places:
            for change, expected in (
                ({"rpm_limit": 5, "models": ["a"]}, {"rpm_limit": 5, "models": ["a"]}),
                ({"tpm_limit": None}, {"rpm_limit": 5, "models": ["a"], "tpm_limit": None}),
                ({"models": None}, {"rpm_limit": 5, "models": None, "tpm_limit": None}),
                ({"unset_limits": ["tpm_limit", "models"], "rpm_limit": 0}, {"rpm_limit": 0}),
                ({"unset_limits": ["rpm_limit"]}, {}),
            ):
                with row(place, change):
                    answer = self.ask("PATCH", place, change)
                    self.assertEqual((answer.status, self.stated(answer.json)), (200, expected))
                    self.assertEqual(self.stated(self.ask("GET", place).json), expected)
        self.ask("PATCH", self.places[0], {"rpm_limit": 7})
        self.ask("PATCH", self.places[1], {"rpm_limit": 8})
        principal = self.directory.warm(self.secret)
        assert principal is not None
        self.assertEqual((principal.token.limits.rpm_limit, principal.project.limits.rpm_limit), (7, 8))

    def test_refused(self) -> None:
        """What is no limit, or could not hold, changes nothing and is refused with the name of the field."""
        for change, status, error in (
            ({"rpm_limit": -1}, 400, "invalid request body"),
            ({"rpm_limit": 1.5}, 400, "invalid request body"),
            ({"rpm_limit": "60"}, 400, "invalid request body"),
            ({"max_budget": 50}, 400, "invalid request body"),
            ({"max_budget": "fifty"}, 400, "invalid request body"),
            ({"budget_duration": "99999d"}, 422, "invalid budget_duration"),
            ({"models": []}, 400, "invalid request body"),
            ({"models": ["a\nb"]}, 422, "invalid models"),
            # What projects have keys for: the upstream of an API, and none itself.
            ({"apis": ["azure"]}, 422, "invalid apis"),
            ({"endpoints": ["v1"]}, 422, "invalid endpoints"),
            ({"endpoints": ["/v1?x"]}, 422, "invalid endpoints"),
            ({"source_addresses": ["10.0.0.1/8"]}, 422, "invalid source_addresses"),
            ({"soft_budget": "2", "max_budget": "1"}, 422, "invalid soft_budget"),
            ({"hard_budget": True, "max_budget": None}, 422, "invalid hard_budget"),
            ({"unset_limits": ["rpm"]}, 400, "invalid request body"),
            ({"unset_limits": ["rpm_limit"], "rpm_limit": 1}, 400, "contradictory limits"),
        ):
            for place in self.places:
                with row(place, change):
                    self.refused(self.ask("PATCH", place, change), status, error)
                    self.assertEqual(self.stated(self.ask("GET", place).json), {})

    def test_words(self) -> None:
        """What is refused is said in words that need no regular expression."""
        for change, words in (
            ({"max_budget": "-3"}, 'Expected an amount of USD as a text, such as "50" or "0.25" - at `$.max_budget`'),
            (
                {"budget_duration": "5x"},
                "Expected a duration such as 1h, 1d, 7d, 1mo, or total - at `$.budget_duration`",
            ),
            ({"apis": ["azure"]}, "no API is called 'azure'; there are anthropic, gemini, openai"),
        ):
            with row(change):
                self.assertEqual(self.ask("PATCH", self.places[0], change).json["description"], words)

    def test_beside_what_stands(self) -> None:
        """What contradicts what was stated before is refused too."""
        for place in self.places:
            with row(place):
                self.ask("PATCH", place, {"max_budget": "5"})
                self.refused(self.ask("PATCH", place, {"soft_budget": "6"}), 422, "invalid soft_budget")

    def test_audit(self) -> None:
        """The audit log says which limits were changed, to what, no limit among them."""
        self.ask("PATCH", self.places[0], {"rpm_limit": 5, "tpm_limit": None, "unset_limits": ["models"]})
        action, _, outcome, details = self.notes.events[-1]
        self.assertEqual((action, outcome), ("token.update", "success"))
        self.assertEqual(details["updated_fields"], ["models", "rpm_limit", "tpm_limit"])
        self.assertEqual(details["changed"], {"rpm_limit": 5, "tpm_limit": None, "unset_limits": ["models"]})


class LeftTests(LimitsCase):
    settings = UsageLimitSettings(
        UsageLimits(max_parallel_requests=50),
        (LimitRule(UsageLimits(rpm_limit=8)), LimitRule(UsageLimits(rpm_limit=2), per="all")),
    )

    def test_shown(self) -> None:
        """GET of a token and of a project says what is left of which limit, whose, and when it is there again."""
        self.ask("PATCH", self.places[0], {"max_budget": "5", "budget_duration": "1d"})
        shown = self.ask("GET", self.places[0]).json["limits_left"]
        self.assertEqual(
            [(each["limit"], each["value"], each["left"]) for each in shown],
            [("max_parallel_requests", 50, 25), ("max_budget", "5", "2.5")],
        )
        self.assertEqual(
            shown[1],
            {
                "limit": "max_budget",
                "value": "5",
                "left": "2.5",
                "resets_at": "2023-11-15T00:00:00Z",
                "source": f"max_budget of the token {self.ask('GET', self.places[0]).json['token']!r}",
                "window": "1d",
                "time_zone": "UTC",
            },
        )
        (ours,) = self.ask("GET", self.places[1]).json["limits_left"]
        self.assertEqual((ours["limit"], ours["value"], ours["left"], ours["window"]), ("rpm_limit", 8, 4, "1m"))
        self.assertNotIn("limits_left", self.ask("GET", "/tokens").json[0])

    def test_reset(self) -> None:
        """A budget that is set back is counted from then on; that is audited, and can depend on a version."""
        for place, action in zip(self.places, ("token.reset_budget", "project.reset_budget"), strict=True):
            with row(place):
                answer = self.ask("POST", f"{place}/budget/reset")
                self.assertEqual((answer.status, answer.json["budget_reset_at"]), (200, "2023-11-14T22:13:20.250000Z"))
                self.assertEqual(self.notes.events[-1][0], action)
                stale = self.ask("POST", f"{place}/budget/reset", headers={"If-Match": '"v1"'})
                self.assertEqual(stale.status, 412)
                self.assertEqual(self.ask("GET", place).json["budget_reset_at"], answer.json["budget_reset_at"])
        self.assertEqual(self.ask("POST", "/tokens/x/budget/reset").status, 404)
        principal = self.principal(self.secret)
        self.assertEqual(principal.token.budget_reset_at, self.clock.seconds())

    def test_amounts(self) -> None:
        """Money is shown exactly, below nothing too."""
        from llmproxy.web.manage.limits import view_of_left

        for steps, expected in ((1, "0.000000000001"), (PICO, "1"), (-PICO // 2, "-0.5"), (0, "0"), (10 * PICO, "10")):
            with row(steps):
                rule = Rule("money", "token:t", PICO, "max_budget of x", "total")
                self.assertEqual(view_of_left(Left(rule, steps, None)).left, expected)
