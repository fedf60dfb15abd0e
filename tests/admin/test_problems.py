"""A refusal beside the field that it is about."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.admin.backend import ApiError
from llmproxy.admin.problems import overtaken, problems_of, query_problem

from ..tables import row

FIELDS = ("name", "api_keys", "rpm_limit", "max_budget", "soft_budget")


class ProblemTests(SynchronousTestCase):
    def test_places(self) -> None:
        """The words of the API stand where the fault is, in a sentence."""
        for error, name, words in (
            (
                ApiError(400, "bad_request", "invalid request body", "Expected `int`, got `str` - at `$.rpm_limit`"),
                "rpm_limit",
                "Expected a whole number, such as 600.",
            ),
            (
                ApiError(400, "bad_request", "invalid request body", "too long - at `$.api_keys[...]`"),
                "api_keys",
                "Too long.",
            ),
            (ApiError(422, "unprocessable", "soft_budget: it is above max_budget"), "soft_budget", None),
            (ApiError(409, "duplicate_name", "a project of this kind exists already"), "name", None),
            (ApiError(422, "x", "invalid name", "expected printable characters"), "name", None),
            (ApiError(400, "x", "something else"), "", "Something else."),
            (ApiError(403, "forbidden", "not allowed"), "", "Not allowed."),
        ):
            found = problems_of(error, FIELDS)
            self.assertEqual(list(found), [name], error)
            if words is not None:
                self.assertEqual(found[name], words, error)

    def test_changed_meanwhile(self) -> None:
        """What somebody else has changed is not overwritten, and that is said."""
        self.assertIn(
            "Somebody else has changed this", problems_of(ApiError(412, "x", "precondition failed"), FIELDS)[""]
        )

    def test_plain(self) -> None:
        """What the API says to programs, of types and patterns, is said to people in words."""
        for theirs, ours in (
            ("Expected `int | null`, got `str`", "Expected a whole number, such as 600."),
            ("Expected `int` <= 5256000", "Expected 5256000 at most."),
            ("Expected `int | null` >= 0", "Expected 0 at least."),
            ("Expected `str` of length <= 255", "Expected 255 characters at most."),
            ("Expected `array` of length <= 100", "Expected 100 lines at most."),
            ("Expected `str` of length >= 1", "There is nothing here, or on one side of a sign."),
            ("max_requests must be <= 9", "Expected 9 at most."),
            ("Invalid enum value 'nope'", "Expected one of those that can be chosen."),
            (
                r"Expected `str` matching regex '^[\\x21-\\x7e]*$(?!\\n)'",
                "There is a character that cannot stand here.",
            ),
            (
                'Expected an amount of USD as a text, such as "50" or "0.25"',
                "Expected an amount of USD such as 1500 or 0.25, with a point and without commas.",
            ),
            ("expected an address, got 'zzz'", "Expected an address, got 'zzz'."),
        ):
            error = ApiError(400, "bad_request", "invalid request body", f"{theirs} - at `$.name`")
            with row(theirs):
                self.assertEqual(problems_of(error, FIELDS), {"name": ours})
        error = ApiError(400, "x", "invalid request body", "Expected `str` of length <= 64 - at `key` in `$.name`")
        self.assertEqual(problems_of(error, FIELDS), {"name": "Expected 64 characters at most."})

    def test_queries(self) -> None:
        """What is wrong with an address is said in words too, and of which part of it."""
        for message, description, words in (
            (
                "invalid query",
                "Expected `str` of length <= 255 - at `$.name`",
                "Expected 255 characters at most, in what is searched for.",
            ),
            (
                "invalid query",
                "Expected `int`, got `str` - at `$.limit`",
                "Expected a whole number, such as 600, in limit.",
            ),
            ("invalid outcome", "expected one of a, b", "Expected one of a, b."),
            (
                "invalid cursor",
                "expected the one of the link to the next page",
                "The link to a further page is of another list, or was cut. Begin at the first page.",
            ),
            ("project not found", "", "Project not found."),
        ):
            with row(message, description):
                self.assertEqual(query_problem(ApiError(400, "bad_request", message, description)), words)

    def test_overtaken(self) -> None:
        """Beside a field that says something else than what holds now, that stands; line ends of browsers are none."""
        now = {"name": "theirs", "rpm_limit": "", "models": "a\nb", "max_budget": "5"}
        typed = {"name": "mine", "rpm_limit": "60", "models": "a\r\nb", "version": "x"}
        self.assertEqual(overtaken(typed, now), {"name": "It is theirs now.", "rpm_limit": "It is empty now."})

    def test_other(self) -> None:
        """What is no fault of the form is not shown as one."""
        for status in (401, 429, 500, 503):
            with row(status):
                self.assertRaises(ApiError, problems_of, ApiError(status, "x", "y"), FIELDS)
