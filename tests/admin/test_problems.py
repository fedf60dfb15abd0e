"""A refusal beside the field that it is about."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.admin.backend import ApiError
from llmproxy.admin.problems import problems_of

from ..tables import row

FIELDS = ("name", "api_keys", "rpm_limit", "max_budget", "soft_budget")


class ProblemTests(SynchronousTestCase):
    def test_places(self) -> None:
        """The words of the API stand where the fault is, in a sentence."""
        for error, name, words in (
            (
                ApiError(400, "bad_request", "invalid request body", "Expected `int`, got `str` - at `$.rpm_limit`"),
                "rpm_limit",
                "Expected `int`, got `str`.",
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

    def test_other(self) -> None:
        """What is no fault of the form is not shown as one."""
        for status in (401, 429, 500, 503):
            with row(status):
                self.assertRaises(ApiError, problems_of, ApiError(status, "x", "y"), FIELDS)
