"""Tests for L{llmproxy.app.validated}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.app.validated import ValidatedPrincipal, ValidatingDirectory, ValidatingQuota
from llmproxy.errors import InvalidToken, ProxyError, RateLimitExceeded, TokenExpired, TokenNotFound, Unavailable
from llmproxy.interfaces import IDirectory, IQuota

from .embedded import PROJECT, SECRET, Projects, Validator


class Answers:
    """A validator that answers what the test says."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def validate_token(self, secret: str) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    validate_token_with_tracking = validate_token


class ValidatingDirectoryTests(SynchronousTestCase):
    def load(self, validator: Any, secret: bytes = SECRET.encode(), projects: Any = None) -> Deferred[Any]:
        return ValidatingDirectory(validator, Projects() if projects is None else projects).load(secret)

    def test_interfaces(self) -> None:
        """They stand in for what the chain asks."""
        verifyObject(IDirectory, ValidatingDirectory(Validator(), Projects()))  # type: ignore[arg-type]
        verifyObject(IQuota, ValidatingQuota(Validator()))

    def test_known(self) -> None:
        """The principal has the project of the store, and shows no secret, neither does its id."""
        principal = self.successResultOf(self.load(Validator()))
        self.assertEqual((principal.project, principal.token.project_id), (PROJECT, "p1"))
        self.assertNotIn(SECRET, repr(principal))
        self.assertNotIn(SECRET, principal.token.id)

    def test_nothing_is_remembered(self) -> None:
        """The validator is asked each time: what it revokes is refused at the next request."""
        validator = Validator()
        directory = ValidatingDirectory(validator, Projects())  # type: ignore[arg-type]
        for _ in range(2):
            self.successResultOf(directory.load(SECRET.encode()))
            self.assertIsNone(directory.warm(SECRET.encode()))
        self.assertEqual(validator.asked, [("validate", SECRET)] * 2)

    def test_refusals(self) -> None:
        """A fault of the token is the answer; every other failure is none of the client's, and lets nobody in."""
        answers: list[tuple[Any, type[ProxyError]]] = [
            (fail(TokenExpired()), TokenExpired),
            (TokenExpired(), TokenExpired),
            (fail(OSError("away")), Unavailable),
            (OSError("away"), Unavailable),
            (succeed("nobody's"), TokenNotFound),
            (succeed(None), TokenNotFound),
            ("nobody's", TokenNotFound),
            (fail(CancelledError()), Unavailable),
        ]
        for answer, expected in answers:
            self.failureResultOf(self.load(Answers(answer)), expected)
        self.assertEqual(len(self.flushLoggedErrors(OSError, CancelledError)), 3)

    def test_store_that_fails(self) -> None:
        """If projects cannot be looked up, the client is told to come again."""

        class Away:
            def get(self, project_id: str) -> Deferred[Any]:
                return fail(OSError("away"))

        self.failureResultOf(self.load(Validator(), projects=Away()), Unavailable)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_bytes(self) -> None:
        """What is no text is no token, and no validator is asked."""
        validator = Validator()
        for secret in (b"\xff\xfe", b""):
            self.failureResultOf(self.load(validator, secret), InvalidToken)
        self.assertEqual(validator.asked, [])

    def test_client_leaves(self) -> None:
        """The validator's work is cancelled, and that is no fault."""
        cancelled: list[Any] = []
        loading = self.load(Answers(Deferred(cancelled.append)))
        loading.cancel()
        self.failureResultOf(loading, CancelledError)
        self.assertEqual(len(cancelled), 1)

    def test_answer_that_comes_late(self) -> None:
        """A validator that does not care for cancellations may answer whatever it likes."""
        for late in (succeed("p1"), fail(OSError("late"))):
            asked: Deferred[Any] = Deferred(lambda _: None)
            loading = self.load(Answers(asked))
            loading.cancel()
            self.failureResultOf(loading, CancelledError)
            late.addBoth(lambda result, asked=asked: asked.called or asked.callback(result))
        self.assertEqual(self.flushLoggedErrors(), [])


class ValidatingQuotaTests(SynchronousTestCase):
    def spend(self, validator: Any) -> Deferred[None]:
        principal = self.successResultOf(ValidatingDirectory(Validator(), Projects()).load(SECRET.encode()))  # type: ignore[arg-type]
        assert isinstance(principal, ValidatedPrincipal)
        quota = ValidatingQuota(validator)
        self.assertIsNone(quota.check(principal))  # type: ignore[func-returns-value]
        spending = quota.spend(principal)
        quota.give_back(principal)
        return spending

    def test_spends(self) -> None:
        """A use is spent where the validator counts them."""
        validator = Validator(1)
        self.successResultOf(self.spend(validator))
        self.failureResultOf(self.spend(validator), RateLimitExceeded)

    def test_faults(self) -> None:
        """What the validator cannot count is not let through."""
        self.failureResultOf(self.spend(Answers(fail(OSError()))), Unavailable)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
