"""Device grants (RFC 8628): what becomes of one when its program asks, as functions of values and time."""

from __future__ import annotations

from typing import Literal

from attrs import evolve, field, frozen

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
REFRESH_GRANT = "refresh_token"

INTERVAL = 5.0
"""Seconds between two requests of a program, at first."""

SLOWER = 5.0
"""Seconds that C{slow_down} adds, section 3.5."""

TOLERANCE = 0.5
"""Seconds: a program that keeps to its interval is not punished for a clock, or for a network."""

MOST_WAITING = 10_000
"""Grants at a time: one more is refused until others have ended."""

MOST_DEVICES = 50
"""Of one person: of one more the one ends that was used longest ago."""

SUSPECT_FOR = 900.0
"""
Seconds after an old refresh token of a device was shown, in which a sign-in of the same program at the same place ends
it: the program was refused, as somebody there has used a copy first. Later it was another session, which went on.
"""

ASKING_FOR = 10.0
"""
Seconds for which one of the sessions of a device has its provider to itself. A provider that gives each refresh token
for one use (RFC 9700 section 4.14.2) ends the sign-in of who shows one twice, as two at the same time would.
"""

KEPT_ENDED = 30 * 86_400.0
"""Seconds that is known of a device that has ended, for those who look after it."""

KEPT_EXPIRED = 600.0
"""Seconds that an expired grant is known, so that its program hears why."""

State = Literal["pending", "approved", "denied", "used"]

Answer = Literal["authorization_pending", "slow_down", "access_denied", "expired_token", "approved"]


@frozen
class Grant:
    """
    A program that waits until a person lets it in. Times are seconds since the epoch.

    @ivar id: the hash of the device code.
    @ivar user_code_hash: of what the person types; another pending one never has the same.
    @ivar program: what the program calls itself; nobody has checked it.
    @ivar device: where it runs, by its own word; C{""} if it does not say.
    @ivar address: where it asked from.
    @ivar interval: seconds that it has to wait between two requests.
    @ivar asked_at: when it asked for its token last.
    @ivar person_id: who has let it in.
    @ivar provider_token: sealed, what their provider can be asked with again; C{None} if there is none.
    """

    id: str
    user_code_hash: str
    program: str
    device: str
    address: str
    created_at: float
    expires_at: float
    interval: float = INTERVAL
    asked_at: float | None = None
    state: State = "pending"
    person_id: str | None = None
    provider_token: str | None = field(default=None, repr=False)


def asked(grant: Grant, now: float) -> tuple[Answer, Grant]:
    """What a program that asks is answered, and the grant from then on. A code that was used is as one that expired."""
    if now >= grant.expires_at or grant.state == "used":
        return "expired_token", grant
    if grant.asked_at is not None and now < grant.asked_at + grant.interval - TOLERANCE:
        slower = evolve(grant, asked_at=now, interval=grant.interval + SLOWER)
        return "slow_down", slower
    noted = evolve(grant, asked_at=now)
    if grant.state == "denied":
        return "access_denied", noted
    if grant.state == "approved":
        # It is used with the token that is made for it, in one transaction.
        return "approved", noted
    return "authorization_pending", noted


def is_open(grant: Grant, now: float) -> bool:
    """Whether a person can still decide."""
    return grant.state == "pending" and now < grant.expires_at


@frozen
class Device:
    """
    A program that a person has let in, with the tokens that it has by turns: a family of refresh tokens.

    @ivar selector_hash: finds it by a refresh token.
    @ivar secret_hash: of the one refresh token that is good.
    @ivar token_id: the access token that it was given last, and C{former_token_id} the one before.
    @ivar expires_at: when the person has to sign in again, however often it was refreshed.
    @ivar ended_at: when it was revoked, C{None} if it is good.
    @ivar ended_because: C{revoked}, C{reuse}, C{signed_out}, C{replaced}, C{provider}; C{""} if it is good.
    @ivar provider_token: sealed, what the person's provider can be asked with again; C{None} if there is none.
    @ivar checked_at: when the provider said last that they are still who they were; C{None}: as they signed in.
    @ivar refreshed_from: the network (L{llmproxy.core.failures.network_of}) that its refresh token came from last.
    @ivar stale_at: when one was shown from there that had been used before; C{None} for never.
    @ivar asking_until: until when nobody else asks the provider; C{None} while nobody does.
    """

    id: str
    person_id: str
    program: str
    device: str
    address: str
    selector_hash: str
    secret_hash: str
    token_id: str
    created_at: float
    used_at: float
    expires_at: float
    former_token_id: str | None = None
    ended_at: float | None = None
    ended_because: str = ""
    provider_token: str | None = field(default=None, repr=False)
    checked_at: float | None = None
    refreshed_from: str | None = None
    stale_at: float | None = None
    asking_until: float | None = None


Refreshing = Literal["good", "stale", "reuse", "over"]


def refreshing(device: Device, same: bool, now: float, network: str = "") -> Refreshing:
    """
    What a refresh token is worth. Several processes of one program on one machine share a sign-in, and each has in its
    memory what it has read: an old one from where the device was refreshed last is C{stale}, and gives nothing; one
    from elsewhere was copied, C{reuse}.

    @param same: whether its secret is the one that is good, compared in constant time.
    @param network: where it came from.
    """
    if device.ended_at is not None or now >= device.expires_at:
        return "over"
    if same:
        return "good"
    return "stale" if network and network == device.refreshed_from else "reuse"


Standing = Literal["known", "due", "overdue"]


def standing(device: Device, every: float, grace: float, now: float) -> Standing:
    """
    Whether the provider is to be asked about the person again: C{known} until it is time to, C{due} while they go on
    if it does not answer, C{overdue} when nothing goes on without its answer.
    """
    since = now - (device.created_at if device.checked_at is None else device.checked_at)
    if since < every:
        return "known"
    return "due" if since < every + grace else "overdue"


def rotated(
    device: Device, secret_hash: str, token_id: str, now: float, network: str = ""
) -> tuple[Device, str | None]:
    """
    A device that has another pair of tokens; and the access token that ends with it: a device has two at most, as
    requests may be under way with the one before.
    """
    ending = device.former_token_id
    return evolve(
        device,
        secret_hash=secret_hash,
        token_id=token_id,
        former_token_id=device.token_id,
        used_at=now,
        refreshed_from=network or None,
    ), ending
