"""Lists of what tokens and projects may use."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.limits.allowed import Allowed, allowed_of
from llmproxy.limiterrors import NotPermitted
from llmproxy.message import Principal, Project, Token
from llmproxy.usagelimits import UNLIMITED, UsageLimits

from ...tables import row


class CheckTests(SynchronousTestCase):
    def check(self, limits: UsageLimits, api: str, path: bytes, address: str) -> str:
        try:
            Allowed.of("the token 'ci'", limits).check(api, path, address)
        except NotPermitted as error:
            self.assertEqual(error.status, 403)
            self.assertIn("of the token 'ci'", error.description)
            return error.code
        return ""

    def test_table(self) -> None:
        """What is on each list passes, what is not is refused with a code of its own."""
        office = UsageLimits(source_addresses=("10.0.0.0/8", "192.0.2.7", "2001:db8::/32"))
        chat = UsageLimits(endpoints=("/v1/chat/completions", "/v1/models", "/v1/files/*/content"))
        for limits, api, path, address, code in (
            (UsageLimits(apis=("openai",)), "openai", b"/", "", ""),
            (UsageLimits(apis=("openai",)), "azure", b"/", "", "api_not_allowed"),
            (UsageLimits(apis=None), "azure", b"/", "", ""),
            (office, "openai", b"/", "10.255.0.1", ""),
            (office, "openai", b"/", "::ffff:10.0.0.1", ""),
            (office, "openai", b"/", "192.0.2.7", ""),
            (office, "openai", b"/", "2001:db8:1::5", ""),
            (office, "openai", b"/", "192.0.2.8", "address_not_allowed"),
            (office, "openai", b"/", "2001:db9::1", "address_not_allowed"),
            (office, "openai", b"/", "", "address_not_allowed"),
            (office, "openai", b"/", "unix", "address_not_allowed"),
            (UsageLimits(source_addresses=("0.0.0.0/0",)), "openai", b"/", "2001:db8::1", "address_not_allowed"),
            (chat, "openai", b"/v1/chat/completions", "", ""),
            (chat, "openai", b"/v1/models/gpt-4o", "", ""),
            (chat, "openai", b"/v1/chat%2Fcompletions", "", "endpoint_not_allowed"),
            (chat, "openai", b"/v1/%63hat/completions", "", ""),
            (chat, "openai", b"/v1/files/f-1/content", "", ""),
            (chat, "openai", b"/v1/files/f-1", "", "endpoint_not_allowed"),
            (chat, "openai", b"/v1/models/../files", "", "endpoint_not_allowed"),
            (chat, "openai", b"/v1/chat/completions-x", "", "endpoint_not_allowed"),
        ):
            with row(limits, path, address):
                self.assertEqual(self.check(limits, api, path, address), code)


class PrincipalTests(SynchronousTestCase):
    def test_both(self) -> None:
        """The lists of a token (or the defaults) and of its project all hold; who has none is not looked at."""
        token, project = Token("t", "00", "sk-…", "p", None), Project("p", "team")
        some, other = UsageLimits(models=("a",)), UsageLimits(apis=("x",))
        for mine, ours, defaults, expected in (
            (UNLIMITED, UNLIMITED, UNLIMITED, []),
            (UsageLimits(rpm_limit=1), UsageLimits(models=None), UNLIMITED, []),
            (some, other, UNLIMITED, ["the token 'sk-…'", "the project 'team'"]),
            (UNLIMITED, UNLIMITED, some, ["the token 'sk-…'"]),
            (UsageLimits(models=None), UNLIMITED, some, []),
        ):
            with row(mine, ours, defaults):
                principal = Principal(evolve(token, limits=mine), evolve(project, limits=ours))
                self.assertEqual([each.whose for each in allowed_of(principal, defaults)], expected)

    def test_lists(self) -> None:
        """Numbers and no limits are no lists."""
        self.assertTrue(UsageLimits(source_addresses=("10.0.0.0/8",)).has_lists)
        self.assertFalse(UsageLimits(rpm_limit=1, models=None).has_lists)
