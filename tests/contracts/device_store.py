"""What each store of devices does, whatever the database."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from sqlalchemy import func, select
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from llmproxy.core.deviceflow import KEPT_ENDED, KEPT_EXPIRED, MOST_DEVICES, SUSPECT_FOR, Device, Grant
from llmproxy.core.people.person import Person
from llmproxy.interfaces.devices import IDeviceStore
from llmproxy.store.database import Database
from llmproxy.store.devices import DeviceStore
from llmproxy.store.people import PeopleStore
from llmproxy.store.schema import changes, device_grants, devices

from ..store.databases import NOW, clock_at, project
from .people_store import person, theirs


def grant(grant_id: str = "g1", code: str = "u1", **changed: Any) -> Grant:
    values: dict[str, Any] = {"created_at": NOW, "expires_at": NOW + 600}
    return Grant(grant_id, code, "claude-cli/2.1", "laptop", "203.0.113.7", **(values | changed))


def device(device_id: str = "d1", token_id: str = "t1", **changed: Any) -> Device:
    values: dict[str, Any] = {"created_at": NOW, "used_at": NOW, "expires_at": NOW + 86_400}
    return Device(
        device_id, "o1", "claude-cli/2.1", "laptop", "", f"sel {device_id}", "sec", token_id, **(values | changed)
    )


class DeviceStoreContract:
    """Mixed into a test case that says how to C{open} a database."""

    database: Database
    clock: Clock
    ann: Person

    def open(self) -> Database:
        raise NotImplementedError

    def setUp(self) -> None:
        self.clock = clock_at()
        self.database = self.open()
        self.people = PeopleStore(self.clock, self.database)
        self.store = DeviceStore(self.clock, self.database)
        self.done(self.database.projects.create(project("p1")))
        self.ann = self.done(self.people.note(person()))

    def done(self, deferred: Any) -> Any:
        return self.successResultOf(deferred)  # type: ignore[attr-defined]

    def is_active(self, token_id: str) -> bool:
        found: bool = self.done(self.database.tokens.get(token_id)).is_active
        return found

    def approved(self, grant_id: str) -> None:
        assert self.done(self.store.add_grant(grant(grant_id, f"code {grant_id}"), 1000))
        assert self.done(self.store.decide(grant_id, "o1", True))

    def let_in(self, device_id: str = "d1", token_id: str = "t1", **changed: Any) -> Any:
        self.approved(f"g {device_id}")
        return self.done(
            self.store.redeem(
                f"g {device_id}", evolve(device(device_id, token_id), **changed), theirs(token_id, self.ann)
            )
        )

    def count(self, table: Any) -> int:
        query = select(func.count()).select_from(table)
        found: int = self.done(self.database.read(lambda connection: connection.scalar(query)))
        return found

    def test_interface(self) -> None:
        verifyObject(IDeviceStore, self.store)

    def test_provider_token(self) -> None:
        """Kept with who waits, then with the device as long as it is good, and nowhere else."""
        assert self.done(self.store.add_grant(grant("g9", "code g9"), 1000))
        self.done(self.store.remember("g9", "o1", "sealed"))
        assert self.done(self.store.decide("g9", "o1", True))
        self.done(self.store.remember("g9", "o1", "too late"))
        _, found = self.done(self.store.asked("g9"))
        assert found.provider_token == "sealed"
        self.done(self.store.redeem("g9", device("d9", "t9", provider_token="sealed"), theirs("t9", self.ann)))
        assert self.done(self.store.by_user_code("code g9")).provider_token is None
        self.done(self.store.checked("d9", "sealed 2", NOW + 5))
        held = self.done(self.store.get("d9"))
        assert (held.provider_token, held.checked_at) == ("sealed 2", NOW + 5)
        self.done(self.store.end("d9", "revoked"))
        self.done(self.store.checked("d9", "sealed 3", NOW + 9))
        assert self.done(self.store.get("d9")).provider_token is None
        assert self.done(self.store.add_grant(grant("g8", "code g8"), 1000))
        self.done(self.store.remember("g8", "o1", "sealed"))
        assert self.done(self.store.decide("g8", "o1", False))
        assert self.done(self.store.by_user_code("code g8")).provider_token is None
        self.let_in("d7", "t7", provider_token="sealed")
        assert self.done(self.store.add_grant(grant("g6", "code g6"), 1000))
        self.done(self.store.remember("g6", "o1", "sealed"))
        self.done(self.people.revoke("o1"))
        assert self.done(self.store.by_user_code("code g6")) is None
        assert self.done(self.store.get("d7")).provider_token is None

    def test_claim(self) -> None:
        """One at a time, until it is over, or given back; not by who has read what is old; not of what has ended."""
        self.let_in()
        self.let_in("d2", "t2")
        first, other = self.done(self.store.get("d1")), self.done(self.store.get("d2"))
        assert self.done(self.store.claim(first, NOW + 10))
        assert not self.done(self.store.claim(first, NOW + 10))
        assert self.done(self.store.claim(other, NOW + 10))
        self.clock.advance(9.9)
        assert not self.done(self.store.claim(first, NOW + 20))
        self.clock.advance(0.1)
        assert self.done(self.store.claim(first, NOW + 20))
        assert self.done(self.store.get("d1")).asking_until == NOW + 20
        self.done(self.store.unclaim("d1"))
        assert self.done(self.store.claim(first, NOW + 20))
        self.done(self.store.checked("d1", "sealed", NOW + 10))
        assert not self.done(self.store.claim(first, NOW + 20))
        read = self.done(self.store.get("d1"))
        assert self.done(self.store.claim(read, NOW + 20))
        self.done(self.store.checked("d1", "sealed", NOW + 11))
        assert not self.done(self.store.claim(read, NOW + 20))
        self.done(self.store.end("d1", "revoked"))
        assert not self.done(self.store.claim(self.done(self.store.get("d1")), NOW + 30))

    def test_stale(self) -> None:
        """
        A device of which an old refresh token was shown just now ends when the same program is let in at the same
        place; others do not.
        """
        rows: tuple[tuple[dict[str, Any], float | None], ...] = (
            ({}, NOW - 60),
            ({}, NOW - SUSPECT_FOR),
            ({}, None),
            ({"program": "llmproxy"}, NOW - 60),
            ({"refreshed_from": "198.51.100.9"}, NOW - 60),
            ({"refreshed_from": None}, NOW - 60),
        )
        for number, (changed, stale_at) in enumerate(rows):
            self.let_in(f"d{number}", f"t{number}", **{"refreshed_from": "203.0.113.7", **changed})
            if stale_at is not None:
                self.done(self.store.stale(f"d{number}", stale_at))
        assert self.done(self.store.get("d0")).stale_at == NOW - 60
        ended = self.let_in("d9", "t9", address="203.0.113.7")
        assert [each.id for each in ended] == ["t0"]
        found = [self.done(self.store.get(f"d{number}")).ended_because for number in (*range(len(rows)), 9)]
        assert found == ["reuse", "", "", "", "", "", ""]
        assert [self.is_active(f"t{number}") for number in range(len(rows))] == [False, True, True, True, True, True]

    def test_grant(self) -> None:
        """What was stored is what is found, by its user code."""
        assert self.done(self.store.add_grant(grant(), 10))
        assert self.done(self.store.by_user_code("u1")) == grant()
        assert self.done(self.store.by_user_code("u2")) is None

    def test_same_code(self) -> None:
        """No two that wait have the same code; that of one that has ended is free."""
        assert self.done(self.store.add_grant(grant(), 10))
        assert not self.done(self.store.add_grant(grant("g2"), 10))
        assert self.done(self.store.decide("g1", "o1", False))
        assert self.done(self.store.add_grant(grant("g2"), 10))
        self.clock.advance(600)
        assert self.done(self.store.add_grant(grant("g3", created_at=NOW + 600, expires_at=NOW + 1200), 10))
        assert self.done(self.store.by_user_code("u1")).id == "g3"

    def test_bounded(self) -> None:
        """No more than so many; those that expired a while ago are gone."""
        for number in range(2):
            assert self.done(self.store.add_grant(grant(f"g{number}", f"u{number}"), 2))
        assert not self.done(self.store.add_grant(grant("g3", "u3"), 2))
        later = NOW + 601 + KEPT_EXPIRED
        assert self.done(self.store.add_grant(grant("g3", "u3", created_at=later, expires_at=later + 600), 2))
        assert self.count(device_grants) == 1

    def test_asked(self) -> None:
        """Its program hears how it stands; who asks too early is made to wait longer, in every process."""
        assert self.done(self.store.asked("g1")) is None
        self.done(self.store.add_grant(grant(), 10))
        assert self.done(self.store.asked("g1"))[0] == "authorization_pending"
        self.clock.advance(1)
        answer, after = self.done(self.store.asked("g1"))
        assert (answer, after.interval) == ("slow_down", 10.0)
        assert self.done(self.store.by_user_code("u1")) == after
        self.clock.advance(10)
        self.done(self.store.decide("g1", "o1", True))
        assert self.done(self.store.asked("g1"))[0] == "approved"

    def test_decided_once(self) -> None:
        """By somebody who is known and not shut out, while it waits."""
        self.done(self.store.add_grant(grant(), 10))
        assert not self.done(self.store.decide("g2", "o1", True))
        assert not self.done(self.store.decide("g1", "nobody", True))
        assert self.done(self.store.decide("g1", "o1", False))
        assert not self.done(self.store.decide("g1", "o1", True))
        self.done(self.store.add_grant(grant("g3", "u3"), 10))
        self.clock.advance(600)
        assert not self.done(self.store.decide("g3", "o1", True))

    def test_redeemed_once(self) -> None:
        """A code is good for one device; who it is of is who has let it in."""
        self.approved("g1")
        stranger = evolve(device(), person_id="o2")
        assert self.done(self.store.redeem("g1", stranger, theirs("t0", self.ann))) is None
        assert self.done(self.store.redeem("g1", device(), theirs("t1", self.ann))) == []
        assert self.done(self.store.redeem("g1", device("d2"), theirs("t2", self.ann))) is None
        assert self.done(self.store.get("d1")) == device()
        assert self.done(self.store.by_selector("sel d1")) == device()
        assert self.done(self.store.get("d2")) is None
        assert self.done(self.database.tokens.get("t2")) is None
        assert self.is_active("t1")

    def test_too_late(self) -> None:
        """Nothing is given for a code that has expired, nor to somebody who was shut out meanwhile."""
        self.approved("g1")
        self.clock.advance(600)
        assert self.done(self.store.redeem("g1", device(), theirs("t1", self.ann))) is None
        self.clock.rightNow = NOW
        self.done(self.people.revoke("o1"))
        assert self.done(self.store.redeem("g1", device(), theirs("t1", self.ann))) is None
        assert self.count(devices) == 0

    def test_rotated(self) -> None:
        """The next pair; of who shows the same refresh token again nothing is stored."""
        self.let_in()
        after = evolve(device(), secret_hash="sec2", token_id="t2", former_token_id="t1", used_at=NOW + 1)
        assert self.done(self.store.rotate(after, theirs("t2", self.ann), "sec", None)) == []
        assert self.done(self.store.get("d1")) == after
        assert self.done(self.store.rotate(after, theirs("t3", self.ann), "sec", None)) is None
        third = evolve(after, secret_hash="sec3", token_id="t3", former_token_id="t2")
        [ended] = self.done(self.store.rotate(third, theirs("t3", self.ann), "sec2", "t1"))
        assert (ended.id, ended.is_active) == ("t1", False)
        assert [self.is_active(each) for each in ("t1", "t2", "t3")] == [False, True, True]

    def test_ended(self) -> None:
        """Its tokens end with it, in every process, and it is refreshed no more; the first reason stays."""
        self.let_in()
        self.done(
            self.store.rotate(
                evolve(device(), secret_hash="sec2", token_id="t2", former_token_id="t1"),
                theirs("t2", self.ann),
                "sec",
                None,
            )
        )
        ended = self.done(self.store.end("d1", "reuse"))
        assert sorted(each.id for each in ended) == ["t1", "t2"]
        assert not any(each.is_active for each in ended)
        rows = self.done(self.database.read(lambda connection: connection.execute(changes.select()).all()))
        if self.database.is_shared:
            assert {("token", "t1"), ("token", "t2")} <= {(row.what, row.which) for row in rows}
        self.clock.advance(1)
        assert self.done(self.store.end("d1", "revoked")) == []
        found = self.done(self.store.get("d1"))
        assert (found.ended_at, found.ended_because) == (NOW, "reuse")
        assert self.done(self.store.rotate(found, theirs("t3", self.ann), "sec2", None)) is None
        assert self.done(self.store.end("d2", "revoked")) is None

    def test_shut_out(self) -> None:
        """With a person all of their devices end, and stay so when they are let in again; nothing waits for them."""
        self.let_in()
        self.approved("g2")
        self.done(self.people.revoke("o1"))
        self.done(self.people.reinstate("o1"))
        assert self.done(self.store.get("d1")).ended_because == "revoked"
        assert self.done(self.store.rotate(device(), theirs("t2", self.ann), "sec", None)) is None
        assert self.done(self.store.redeem("g2", device("d2"), theirs("t2", self.ann))) is None
        assert self.done(self.people.delete("o1"))
        assert self.count(devices) == 0

    def test_so_many(self) -> None:
        """Of one more than a person may have the one ends that was used longest ago."""
        for number in range(MOST_DEVICES):
            assert self.let_in(f"d{number:03}", f"t{number:03}", used_at=NOW + number) == []
        [ended] = self.let_in("d999", "t999", used_at=NOW + 999)
        assert ended.id == "t000"
        found = self.done(self.store.of_person("o1"))
        assert [found[0].id, found[-1].id, found[-1].ended_because] == ["d999", "d000", "replaced"]

    def test_forgotten(self) -> None:
        """A device that ended a month ago is known no more."""
        self.let_in()
        self.clock.advance(86_400 + KEPT_ENDED + 1)
        later = self.clock.seconds()
        self.done(self.store.add_grant(grant("g9", "u9", created_at=later, expires_at=later + 600), 10))
        self.done(self.store.decide("g9", "o1", True))
        self.done(self.store.redeem("g9", device("d9", expires_at=later + 9), theirs("t9", self.ann)))
        assert [each.id for each in self.done(self.store.of_person("o1"))] == ["d9"]
