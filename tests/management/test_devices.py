"""Tests for L{llmproxy.management.devices}."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred

from llmproxy.config.agents import SignInConfig
from llmproxy.core.devicecodes import read_refresh_token
from llmproxy.core.deviceflow import ASKING_FOR, Device
from llmproxy.core.oautherrors import OAuthRefusal
from llmproxy.core.people.grants import GrantRule, Match, grant_of
from llmproxy.core.people.person import Person
from llmproxy.core.tokens import DEVICE, fault_of
from llmproxy.errors import InvalidToken, NotFound
from llmproxy.identityerrors import ProviderUnavailable, SignInOver
from llmproxy.management.devices import DeviceRules, Issued, Reused, Stale
from llmproxy.management.people import PeopleRules
from llmproxy.store.devices import DeviceStore
from llmproxy.store.people import PeopleStore
from llmproxy.usagelimits import UsageLimits

from .test_people import ANN
from .world import RulesTestCase


class Providers:
    """@ivar fails: what asking ends with. @ivar asked: about whom. @ivar holding: one by one, where it is set."""

    def __init__(self, found: str, fails: Exception | None) -> None:
        self.found, self.fails = found, fails
        self.asked: list[str] = []
        self.holding: list[Deferred[None]] | None = None

    def standing(self, device: Device, person: Person) -> Any:
        return self.found

    async def ask(self, device: Device, person: Person) -> str | None:
        self.asked.append(person.id)
        if self.holding is not None:
            self.holding.append(Deferred())
            await self.holding[-1]
        if self.fails is not None:
            raise self.fails
        return "next"


class DeviceRulesTests(RulesTestCase):
    def setUp(self) -> None:
        super().setUp()
        grants = [GrantRule(Match(), "p1", limits=UsageLimits(rpm_limit=5))]
        store = PeopleStore(self.clock, self.database)
        self.people = PeopleRules(self.state, store, lambda who: grant_of(grants, who))
        self.lifetimes = SignInConfig(token_lifetime=3600.0, sign_in_lifetime=86_400.0, code_lifetime=600.0)
        self.devices = DeviceRules(self.people, DeviceStore(self.clock, self.database), lambda: self.lifetimes)
        self.ann = self.done(self.people.sign_in(ANN))

    def let_in(self) -> Issued:
        begun = self.done(self.devices.begin("claude-cli/2.1", "laptop", "203.0.113.7"))
        grant = self.done(self.devices.waiting(begun.user_code))
        assert grant is not None
        self.assertTrue(self.done(self.devices.decide(grant, self.ann, True)))
        self.clock.advance(5)
        return self.done(self.devices.redeem(begun.device_code))

    def said(self, coroutine: Coroutine[Deferred[Any], Any, Any]) -> tuple[str, int]:
        error = self.failureResultOf(Deferred.fromCoroutine(coroutine), OAuthRefusal).value
        return error.code, error.status

    def is_good(self, secret: str) -> bool:
        """Whether the proxied path takes it."""
        raw = secret.encode()
        found = self.directory.warm(raw)
        if found is None:
            loading: Deferred[Any] = self.directory.load(raw)
            result = loading.addErrback(lambda reason: reason.trap(InvalidToken) and None)
            found = self.successResultOf(result)
        return found is not None and fault_of(found.token, found.project, self.clock.seconds()) is None

    def test_whole(self) -> None:
        """A program is let in: a token of the person that withers, in their project, with their limits."""
        issued = self.let_in()
        token = self.principal(issued.secret).token
        self.assertEqual((token.person_id, token.kind, token.project_id), (self.ann.id, DEVICE, "p1"))
        self.assertEqual((token.limits.rpm_limit, token.name), (5, "claude-cli/2.1 on laptop"))
        self.assertEqual(token.expires_at, self.clock.seconds() + 3600)
        self.assertEqual(issued.device.expires_at, self.clock.seconds() + 86_400)

    def test_codes(self) -> None:
        """A code is found however it is typed, while it waits, and good once."""
        begun = self.done(self.devices.begin("a\x1b[31m\nb", "x" * 500, "::1"))
        self.assertEqual((begun.grant.program, len(begun.grant.device)), ("a [31m b", 128))
        found = self.done(self.devices.waiting(begun.user_code.lower().replace("-", " ")))
        self.assertEqual(found, begun.grant)
        for code in ("", "BCDF", "BBBB-BBBB", begun.device_code):
            self.assertIsNone(self.done(self.devices.waiting(code)), code)
        self.assertEqual(self.said(self.devices.redeem(begun.device_code)), ("authorization_pending", 400))
        self.assertEqual(self.said(self.devices.redeem(begun.device_code)), ("slow_down", 400))
        self.assertEqual(self.said(self.devices.redeem(begun.user_code)), ("invalid_grant", 400))
        self.done(self.devices.decide(begun.grant, self.ann, True))
        self.assertFalse(self.done(self.devices.decide(begun.grant, self.ann, True)))
        self.assertIsNone(self.done(self.devices.waiting(begun.user_code)))
        self.clock.advance(10)
        self.done(self.devices.redeem(begun.device_code))
        self.clock.advance(10)
        self.assertEqual(self.said(self.devices.redeem(begun.device_code)), ("expired_token", 400))

    def test_denied(self) -> None:
        begun = self.done(self.devices.begin("claude", "", ""))
        self.done(self.devices.decide(begun.grant, self.ann, False))
        self.assertEqual(self.said(self.devices.redeem(begun.device_code)), ("access_denied", 400))

    def test_expired(self) -> None:
        begun = self.done(self.devices.begin("claude", "", ""))
        self.clock.advance(600)
        self.assertIsNone(self.done(self.devices.waiting(begun.user_code)))
        self.assertEqual(self.said(self.devices.redeem(begun.device_code)), ("expired_token", 400))

    def test_refreshed(self) -> None:
        """Each refresh token is good once; the access token before goes on for what is under way with it."""
        first = self.let_in()
        second = self.done(self.devices.refresh(first.refresh_token))
        self.assertNotEqual(second.refresh_token, first.refresh_token)
        self.assertTrue(self.is_good(first.secret))
        third = self.done(self.devices.refresh(second.refresh_token))
        self.assertEqual([self.is_good(each.secret) for each in (first, second, third)], [False, True, True])

    def test_reused(self) -> None:
        """Who shows one that was used has stolen it, or was stolen from: nobody goes on."""
        first = self.let_in()
        second = self.done(self.devices.refresh(first.refresh_token))
        failure = self.failureResultOf(Deferred.fromCoroutine(self.devices.refresh(first.refresh_token)), Reused)
        self.assertEqual((failure.value.device.person_id, failure.value.status), (self.ann.id, 401))
        self.assertEqual([self.is_good(each.secret) for each in (first, second)], [False, False])
        self.assertEqual(self.said(self.devices.refresh(second.refresh_token)), ("invalid_grant", 401))

    def test_at_the_same_time(self) -> None:
        """Of two machines with the same refresh token both are out."""
        first = self.let_in()
        other = DeviceRules(self.people, DeviceStore(self.clock, self.database), lambda: self.lifetimes)
        self.done(other.refresh(first.refresh_token))
        self.assertEqual(self.said(self.devices.refresh(first.refresh_token)), ("invalid_grant", 401))

    def asked_again(self, *, standing: str = "due", fails: Exception | None = None) -> Issued:
        """A device whose person the provider is asked about."""
        self.providers = Providers(standing, fails)
        store = DeviceStore(self.clock, self.database)
        self.devices = DeviceRules(self.people, store, lambda: self.lifetimes, providers=self.providers)
        return self.let_in()

    def test_asked_again(self) -> None:
        """The provider says that they are still who they were: what it gave then is kept; and not before it is time."""
        first = self.asked_again()
        second = self.done(self.devices.refresh(first.refresh_token))
        self.assertEqual((second.device.provider_token, second.device.checked_at), ("next", self.clock.seconds()))
        self.providers.found = "known"
        self.done(self.devices.refresh(second.refresh_token))
        self.assertEqual(self.providers.asked, [self.ann.id])

    def test_out_at_the_provider(self) -> None:
        """Who is out there is out here, with all tokens of the device."""
        first = self.asked_again(fails=SignInOver("x"))
        self.assertEqual(self.said(self.devices.refresh(first.refresh_token)), ("invalid_grant", 401))
        self.assertFalse(self.is_good(first.secret))
        [found] = self.done(self.devices.of_person(self.ann.id))
        self.assertEqual(found.ended_because, "provider")

    def test_provider_away(self) -> None:
        """They go on for a while; then nobody does, and comes again with the same refresh token when it answers."""
        first = self.asked_again(fails=ProviderUnavailable("x"))
        second = self.done(self.devices.refresh(first.refresh_token))
        self.assertIsNone(second.device.checked_at)
        self.providers.found = "overdue"
        for _ in range(2):
            self.assertEqual(self.said(self.devices.refresh(second.refresh_token)), ("temporarily_unavailable", 503))
        self.providers.fails = None
        self.done(self.devices.refresh(second.refresh_token))

    def test_asked_by_two(self) -> None:
        """
        Two sessions of one sign-in, at two machines perhaps: one asks at a time, as a provider may take two with the
        same refresh token for a theft. The other one goes on, or comes again where nobody goes on without an answer.
        """
        first = self.asked_again()
        self.providers.holding = []
        waits = Deferred.fromCoroutine(self.devices.refresh(first.refresh_token, "203.0.113.7"))
        second = self.done(self.devices.refresh(first.refresh_token, "203.0.113.7"))
        self.assertEqual(self.providers.asked, [self.ann.id])
        self.providers.holding[0].callback(None)
        self.failureResultOf(waits, Stale)

        self.providers.found = "overdue"
        waits = Deferred.fromCoroutine(self.devices.refresh(second.refresh_token, "203.0.113.7"))
        refused = Deferred.fromCoroutine(self.devices.refresh(second.refresh_token, "203.0.113.7"))
        self.assertEqual(self.failureResultOf(refused, OAuthRefusal).value.retry_after, 2)
        self.assertEqual(len(self.providers.asked), 2)
        self.providers.holding[1].callback(None)
        third = self.successResultOf(waits)
        self.assertEqual(third.device.provider_token, "next")
        self.assertEqual(len(self.providers.asked), 2)

    def test_nobody_answers_who_asked(self) -> None:
        """A machine that was killed as it asked keeps nobody from asking for more than a moment."""
        first = self.asked_again(standing="overdue")
        self.providers.holding = []
        Deferred.fromCoroutine(self.devices.refresh(first.refresh_token))
        self.assertEqual(self.said(self.devices.refresh(first.refresh_token)), ("temporarily_unavailable", 503))
        self.clock.advance(ASKING_FOR)
        self.providers.holding = None
        self.done(self.devices.refresh(first.refresh_token))
        self.assertEqual(len(self.providers.asked), 2)

    def test_counted(self) -> None:
        """What became of each refresh."""
        counted: list[str] = []
        store = DeviceStore(self.clock, self.database)
        self.devices = DeviceRules(self.people, store, lambda: self.lifetimes, count=counted.append)
        first = self.let_in()
        self.done(self.devices.refresh(first.refresh_token))
        for text in (first.refresh_token, first.refresh_token, "x"):
            self.said(self.devices.refresh(text))
        self.assertEqual(counted, ["ok", "reuse", "over", "over"])

    def test_asked_for_nobody(self) -> None:
        """A refresh token that is not good costs the provider nothing."""
        first = self.asked_again()
        self.done(self.devices.refresh(first.refresh_token))
        self.assertEqual(self.said(self.devices.refresh(first.refresh_token)), ("invalid_grant", 401))
        self.assertEqual(self.said(self.devices.refresh("llmr_" + "A" * 22 + "." + "A" * 43)), ("invalid_grant", 401))
        self.assertEqual(len(self.providers.asked), 1)

    def test_processes(self) -> None:
        """
        Several processes of one program share a sign-in, and each remembers what it has read: one that comes with an
        old refresh token, however old, gets nothing, and ends nothing.
        """
        first = self.let_in()
        second = self.done(self.devices.refresh(first.refresh_token, "203.0.113.7"))
        third = self.done(self.devices.refresh(second.refresh_token, "203.0.113.7"))
        for text in (first.refresh_token, second.refresh_token):
            self.failureResultOf(Deferred.fromCoroutine(self.devices.refresh(text, "203.0.113.7")), Stale)
        self.assertTrue(self.is_good(third.secret))
        self.done(self.devices.refresh(third.refresh_token, "198.51.100.9"))
        # The laptop is elsewhere now, and the process that is behind comes from there too.
        self.failureResultOf(Deferred.fromCoroutine(self.devices.refresh(first.refresh_token, "198.51.100.9")), Stale)
        self.failureResultOf(Deferred.fromCoroutine(self.devices.refresh(first.refresh_token, "203.0.113.7")), Reused)
        self.assertFalse(self.is_good(third.secret))

    def test_addresses_of_one(self) -> None:
        """A holder of IPv6 addresses has many of them."""
        first = self.let_in()
        self.done(self.devices.refresh(first.refresh_token, "2001:db8:1:2::1"))
        refused = Deferred.fromCoroutine(self.devices.refresh(first.refresh_token, "2001:db8:1:2:ffff::9"))
        self.failureResultOf(refused, Stale)

    def test_stolen_nearby(self) -> None:
        """
        Somebody at the same address has used what they copied: the program is refused, its person signs in again, and
        that ends what was copied.
        """
        first = self.let_in()
        stolen = self.done(self.devices.refresh(first.refresh_token, "203.0.113.7"))
        self.failureResultOf(Deferred.fromCoroutine(self.devices.refresh(first.refresh_token, "203.0.113.7")), Stale)
        self.assertTrue(self.is_good(stolen.secret))
        again = self.let_in()
        self.assertFalse(self.is_good(stolen.secret))
        self.assertEqual(self.said(self.devices.refresh(stolen.refresh_token, "203.0.113.7")), ("invalid_grant", 401))
        self.assertTrue(self.is_good(again.secret))
        found = {each.id: each.ended_because for each in self.done(self.devices.of_person(self.ann.id))}
        self.assertEqual(found, {first.device.id: "reuse", again.device.id: ""})

    def test_overtaken(self) -> None:
        """Two processes at the same moment, at two machines of the proxy: one gets the next pair, the other nothing."""
        first = self.let_in()
        store, others = DeviceStore(self.clock, self.database), []
        behind = DeviceRules(self.people, store, lambda: self.lifetimes)
        find = store.by_selector

        def overtaken(selector_hash: str) -> Any:
            found = find(selector_hash)
            if not others:
                # What the one has read is old when it writes: the other was in between.
                others.append(self.done(self.devices._refresh(shown, "203.0.113.7")))
            return found

        shown = read_refresh_token(first.refresh_token)
        assert shown is not None
        self.patch(store, "by_selector", overtaken)
        refused = Deferred.fromCoroutine(behind.refresh(first.refresh_token, "203.0.113.7"))
        self.failureResultOf(refused, Stale)
        self.assertTrue(self.is_good(others[0].secret))

    def test_not_refreshed(self) -> None:
        """What is no refresh token, one of an unknown device, and one of a sign-in that is over: 401."""
        first = self.let_in()
        for text in ("", "x", first.secret, "llmr_" + "A" * 22 + "." + "A" * 43):
            self.assertEqual(self.said(self.devices.refresh(text)), ("invalid_grant", 401), text)
        self.clock.advance(86_400)
        self.assertEqual(self.said(self.devices.refresh(first.refresh_token)), ("invalid_grant", 401))

    def test_person_out(self) -> None:
        """Who is shut out is so at once, and a program of theirs that asks to refresh is sent to sign in."""
        first = self.let_in()
        self.done(self.people.revoke(self.ann.id))
        self.assertFalse(self.is_good(first.secret))
        self.assertEqual(self.said(self.devices.refresh(first.refresh_token)), ("invalid_grant", 401))

    def test_signed_out(self) -> None:
        """Who has the refresh token ends what it is for; anything else ends nothing."""
        first = self.let_in()
        self.assertIsNone(self.done(self.devices.sign_out("x")))
        self.assertIsNone(self.done(self.devices.sign_out("llmr_" + "A" * 22 + "." + "A" * 43)))
        ended = self.done(self.devices.sign_out(first.refresh_token))
        assert ended is not None
        self.assertEqual(ended.id, first.device.id)
        self.assertFalse(self.is_good(first.secret))
        [found] = self.done(self.devices.of_person(self.ann.id))
        self.assertEqual(found.ended_because, "signed_out")

    def test_ended(self) -> None:
        first = self.let_in()
        self.assertEqual(self.done(self.devices.end(first.device.id)).ended_because, "revoked")
        self.assertFalse(self.is_good(first.secret))
        self.failureResultOf(Deferred.fromCoroutine(self.devices.end("nothing")), NotFound)
