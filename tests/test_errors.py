"""Tests for L{llmproxy.errors}."""

from __future__ import annotations

from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from llmproxy import errors
from llmproxy.errors import ProxyError

ARGUMENTS: dict[str, tuple[object, ...]] = {
    "MethodNotAllowed": ((b"GET", b"POST"),),
    "UpstreamTimeout": ("connect",),
    "OutOfResources": ("too_many_files",),
    "ApiKeyMissing": ("openai",),
}


def faults() -> Iterator[ProxyError]:
    """One of each kind that the module has."""
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, ProxyError):
            yield kind(*ARGUMENTS.get(name, ()))  # type: ignore[arg-type]


class ProxyErrorTests(SynchronousTestCase):
    def names(self, fault: ProxyError) -> set[bytes]:
        return {name for name, _ in fault.fields}

    def test_every_fault_can_be_told(self) -> None:
        """Each has a status of an error, a code that a program can compare, and words."""
        for fault in faults():
            self.assertTrue(400 <= fault.status <= 599, fault)
            self.assertRegex(fault.code, r"\A[a-z][a-z0-9_]+\Z")
            self.assertTrue(fault.message, fault)

    def test_every_fault_is_a_sentence(self) -> None:
        """What a log or C{/ready} makes of one is a sentence, not a tuple of Python's."""
        for fault in (*faults(), errors.Unavailable("it does not answer")):
            self.assertNotRegex(str(fault), r"[('\"]{2}|^\(")
            self.assertIn(fault.message, str(fault))
        self.assertEqual(str(errors.Unavailable("x")), f"{errors.Unavailable.message}: x")

    def test_fields_that_a_status_wants(self) -> None:
        """RFC 9110 sections 11.6.1, 10.2.1 and 10.2.3: a challenge, the allowed methods, when to come back."""
        for fault in faults():
            if fault.status == 401:
                self.assertIn(b"WWW-Authenticate", self.names(fault), fault)
            elif fault.status == 405:
                self.assertEqual(dict(fault.fields)[b"Allow"], b"GET, POST", fault)
            elif fault.status == 503:
                self.assertIn(b"Retry-After", self.names(fault), fault)

    def test_challenge(self) -> None:
        """RFC 6750 section 3.1: only who sent a token is told that it was not good."""
        self.assertNotIn(b"error=", dict(errors.MissingToken().fields)[b"WWW-Authenticate"])
        self.assertIn(b'error="invalid_token"', dict(errors.TokenExpired().fields)[b"WWW-Authenticate"])

    def test_nothing_was_answered(self) -> None:
        """Only what upstream failed at before it answered is worth another try, and no broken protocol or trust."""
        retryable = {type(fault).__name__ for fault in faults() if fault.retryable}
        upstreams = {"UpstreamError", "UpstreamUnreachable", "UpstreamReset", "UpstreamTimeout"}
        self.assertEqual(retryable, {*upstreams, "OutOfResources", "TooMuchWithheld"})

    def test_retry_after_is_never_now(self) -> None:
        """Clients that are told to come back at once would."""
        self.assertEqual(dict(errors.Unavailable(retry_after=0).fields)[b"Retry-After"], b"1")

    def test_words_of_the_one(self) -> None:
        """Words that belong to one fault do not change its kind."""
        self.assertEqual(errors.BadRequest(message="name is missing").message, "name is missing")
        self.assertEqual(errors.BadRequest().message, "Bad request")


class ConfigErrorTests(SynchronousTestCase):
    def test_a_problem_a_line(self) -> None:
        """What stderr shows."""
        self.assertEqual(str(errors.ConfigError("a", "b")), "a\nb")
