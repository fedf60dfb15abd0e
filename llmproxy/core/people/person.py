"""People: those who have signed in by an identity provider, as they are stored."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from attrs import field, frozen

from ...message import Role
from ...usagelimits import UNLIMITED, UsageLimits
from ..sessions import actor_of

LONGEST_NAME = 255
LONGEST_SUBJECT = 255
"""OpenID Connect Core section 2: at most 255 ASCII characters."""

MOST_GROUPS = 200
LONGEST_GROUP = 255


@frozen
class Person:
    """
    Somebody whom an identity provider has named to us. Times are seconds since the epoch.

    @ivar subject_key: what finds them: see L{subject_key}.
    @ivar provider: the name of the provider in the configuration, when they signed in last.
    @ivar issuer: the C{iss} of that provider, which C{subject} is unique in.
    @ivar email: one that the provider vouches for; C{""} if there is none.
    @ivar groups: those that the provider and our rules put them into, when they signed in last.
    @ivar role: what they may do at the management API; C{None} for nothing.
    @ivar project_id: the project that they spend for; C{None} for none.
    @ivar limits: what the rules say of their tokens.
    @ivar revoked_at: since when they are shut out; C{None} for one who is not.
    @ivar budget_reset_at: when their budget was last set back by hand; C{None} if never.
    @ivar signed_out_at: what a browser had signed in with until then is over; C{None} if nothing is.
    """

    id: str
    subject_key: str
    provider: str
    issuer: str
    subject: str
    name: str = ""
    email: str = ""
    groups: tuple[str, ...] = ()
    role: Role | None = None
    project_id: str | None = None
    limits: UsageLimits = UNLIMITED
    created_at: float = 0.0
    last_seen_at: float = 0.0
    revoked_at: float | None = None
    version: int = 1
    budget_reset_at: float | None = None
    signed_out_at: float | None = None

    def is_signed_in(self, since: float) -> bool:
        """Whether a sign-in of C{since} is good: they are not shut out, and were not since then."""
        return self.revoked_at is None and (self.signed_out_at is None or since > self.signed_out_at)

    @property
    def actor(self) -> str:
        """What the audit log calls them."""
        return actor_of(self.provider, self.email, self.subject)


@frozen
class Asserted:
    """
    What a provider says of somebody, after all of it was verified.

    @ivar email: C{""} where it is not known.
    @ivar email_verified: whether the provider vouches for it; one that is not opens nothing.
    @ivar claims: all of them, for rules; nothing keeps them.
    """

    provider: str
    issuer: str
    subject: str
    email: str = ""
    email_verified: bool = False
    name: str = ""
    groups: tuple[str, ...] = ()
    claims: dict[str, Any] = field(factory=dict, repr=False)

    @property
    def subject_key(self) -> str:
        return subject_key(self.issuer, self.subject)


def subject_key(issuer: str, subject: str) -> str:
    """
    What a person is found by: nobody else's, whatever a provider is called here. OpenID Connect Core section 5.7:
    C{iss} and C{sub} together are the only identifier that is stable and unique.
    """
    return sha256(f"{issuer}\0{subject}".encode()).hexdigest()
