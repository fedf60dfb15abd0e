"""Interfaces of management's stores: tokens, projects, admins, sessions, answers to calls, and reports of usage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Interface

from ..core.latency import Latency
from ..core.limits.written import Change
from ..core.reports import UsageQuestion, UsageReport
from ..message import Admin, IdempotentCall, Page, Project, Session, Token


class ITokenStore(Interface):
    """Tokens at rest. Every method returns a Deferred; unknown ids give C{None}."""

    def create(token: Token) -> Deferred[None]:
        """Store a new token."""

    def by_hashes(hashes: Sequence[str]) -> Deferred[dict[str, Token]]:
        """As L{by_hash}, of several: those that there are, by the hash that was asked for."""

    def by_hash(token_hash: str) -> Deferred[Token | None]:
        """
        The token whose secret has this SHA-256 (lower-case hexadecimal), as it is for who holds that
        secret; see L{llmproxy.core.tokens.as_held}.
        """

    def get(token_id: str) -> Deferred[Token | None]:
        """One token."""

    def list(project_id: str | None = None) -> Deferred[list[Token]]:
        """All of them, or one project's, newest first."""

    def page(
        limit: int,
        after: str | None = None,
        *,
        project_id: str | None = None,
        is_active: bool | None = None,
        expired: bool | None = None,
        name: str | None = None,
    ) -> Deferred[Page[Token]]:
        """
        At most C{limit} of them, newest first, by keyset: as cheap at the end of the list as at its beginning.

        A token that is created while somebody pages is seen or not, and moves no other.

        @param after: the C{after} of the page before.
        @param project_id: only those of one project.
        @param is_active: only active ones, or only revoked ones.
        @param expired: only those whose time is over, or only the others.
        @param name: only those with this in their name, in any case of ASCII letters.
        @raise ValueError: C{after} is not one that a page gave out, or C{limit} is below 1; at once.
        """

    def update(
        token_id: str,
        *,
        is_active: bool | None = None,
        max_requests: int | None = None,
        unlimited: bool = False,
        expires_at: float | None = None,
        name: str | None = None,
        metadata: str | None = None,
        limits: Change | None = None,
        budget_reset_at: float | None = None,
        version: int | None = None,
    ) -> Deferred[Token | None]:
        """
        Change what is given and only that (never the counters); returns the token as it is now.

        @param name: C{""} takes it away; likewise C{metadata}.
        @param limits: single limits; those that are not named stay, also if somebody else changes them at the same
            time.
        @param version: the one that it must have, else it fails with L{llmproxy.errors.PreconditionFailed}.
        """

    def rotate(
        token_id: str,
        *,
        token_hash: str,
        hint: str,
        previous_until: float | None = None,
        expires_at: float | None = None,
        version: int | None = None,
    ) -> Deferred[Token | None]:
        """
        Give a token another secret. One that it had before the present one is forgotten.

        @param previous_until: how long the present secret stays good, seconds since the epoch; C{None} ends it.
        """

    def some(ids: Sequence[str]) -> Deferred[Sequence[Token]]:
        """Those of these tokens that there are, in any order."""

    def revoke_project(project_id: str) -> Deferred[tuple[int, int]]:
        """Revoke every token of a project, in one statement: how many were revoked, and how many there are."""


class IProjectStore(Interface):
    """Projects at rest; upstream keys are encrypted on their way in and decrypted on their way out."""

    def create(project: Project) -> Deferred[None]:
        """Store a new project; fails with L{llmproxy.store.projects.DuplicateName} if its name is taken."""

    def get(project_id: str) -> Deferred[Project | None]:
        """One project."""

    def list() -> Deferred[list[Project]]:
        """All of them, by name."""

    def page(
        limit: int,
        after: str | None = None,
        *,
        is_active: bool | None = None,
        name: str | None = None,
        newest: bool = False,
    ) -> Deferred[Page[Project]]:
        """
        At most C{limit} of them, by name (as bytes of UTF-8), likewise by keyset; see L{ITokenStore.page}.

        @param newest: those that were made last come first, instead. It is given only where that is wanted.

        @raise ValueError: likewise.
        """

    def update(
        project_id: str,
        *,
        name: str | None = None,
        api_keys: Mapping[str, Sequence[str] | None] | None = None,
        is_active: bool | None = None,
        limits: Change | None = None,
        budget_reset_at: float | None = None,
        version: int | None = None,
    ) -> Deferred[Project | None]:
        """
        Change what is given and only that; C{deactivated_at} follows C{is_active}.

        @param api_keys: the keys that take the place of those for an API; C{None} for none. Those for APIs that are not
            named stay, also if somebody else changes them at the same time.
        @param limits: single limits, likewise.
        """


class IProjectNames(Interface):
    """What a store of projects may have besides."""

    def names(ids: Sequence[str]) -> Deferred[dict[str, str]]:
        """The names of those projects that there are, by their ids."""

    def some(ids: Sequence[str]) -> Deferred[list[Project]]:
        """Those of these projects that there are, in any order, without their keys."""


class IAdminStore(Interface):
    """Those who may use the management API, at rest; unknown ids give C{None}."""

    def create(admin: Admin) -> Deferred[None]:
        """Store a new one; fails with L{llmproxy.errors.DuplicateAdmin} if one who is not revoked has this name."""

    def by_hash(token_hash: str) -> Deferred[Admin | None]:
        """Whose token has this SHA-256 (lower-case hexadecimal)."""

    def get(admin_id: str) -> Deferred[Admin | None]:
        """One of them."""

    def list() -> Deferred[list[Admin]]:
        """Those who were created last, a thousand at most, the newest first."""

    def revoke(admin_id: str) -> Deferred[Admin | None]:
        """Revoke an admin and free the name. A second time changes nothing."""

    def used(admin_id: str) -> Deferred[None]:
        """Note that an admin has used the token just now."""


class ISessionStore(Interface):
    """Those who are signed in at the admin pages, at rest, each with the admin that they are, if it is one."""

    def create(session: Session) -> Deferred[None]:
        """Store a new one; those that have ended, and the oldest beyond L{llmproxy.store.sessions.MOST}, go."""

    def by_hash(secret_hash: str) -> Deferred[tuple[Session, Admin | None] | None]:
        """Whose secret has this SHA-256 (lower-case hexadecimal); C{None} if there is none."""

    def get(session_id: str) -> Deferred[tuple[Session, Admin | None] | None]:
        """One of them."""

    def list(admin_id: str | None = None) -> Deferred[list[tuple[Session, Admin | None]]]:
        """All of them, or those of one admin, who signed in last first; a thousand at most."""

    def used(session_id: str) -> Deferred[None]:
        """Note that something was asked with it just now."""

    def end(session_id: str) -> Deferred[bool]:
        """End one; whether it was there."""

    def end_all(admin_id: str | None = None, keep: str | None = None) -> Deferred[int]:
        """
        End all of them, or those of one admin; how many there were.

        @param keep: the id of one that stays.
        """


class IIdempotencyStore(Interface):
    """What calls with an C{Idempotency-Key} were answered, for as long as they may be repeated."""

    def begin(actor: str, key_hash: str, fingerprint: str, lifetime: float) -> Deferred[IdempotentCall | None]:
        """
        Note that a call is made.

        @param fingerprint: of what is asked.
        @param lifetime: seconds until it is forgotten.
        @return: C{None} if it is new, else what is noted of the one before.
        """

    def finish(actor: str, key_hash: str, status: int, answer: str) -> Deferred[None]:
        """Note what it was answered."""

    def forget(actor: str, key_hash: str) -> Deferred[None]:
        """Nothing was done: it may be made again."""


class IUsageReports(Interface):
    """Usage at rest: sums of it, and single records, of exchanges that have ended."""

    def grouped(question: UsageQuestion) -> Deferred[UsageReport]:
        """
        The sums that answer a question, as L{llmproxy.core.reports.report_of} arranges them. What has ended is in them
        within a second. The span is widened to whole quarters of an hour.

        What single records alone can answer (several of C{user}, C{session}, C{program}, tags and metadata, or one of
        them for a token) goes back as far as those are kept; the report says so in its C{since}. It fails with
        L{llmproxy.errors.BadRequest} where that would take too many of them.
        """

    def records(question: UsageQuestion, limit: int, after: str | None = None) -> Deferred[Page[Any]]:
        """
        At most C{limit} of the single records (L{llmproxy.core.ledger.entry.Entry}) that a question is about, those
        that ended last first, by keyset; see L{ITokenStore.page}. Its span is taken exactly, by when they ended;
        C{group_by}, C{tz} and C{top} mean nothing.

        @raise ValueError: C{after} is not one that a page gave out, or C{limit} is below 1; at once.
        """

    def token_names(ids: Sequence[str]) -> Deferred[dict[str, str | None]]:
        """The names of those tokens that there are, or were: those that were removed have left theirs."""

    def person_names(ids: Sequence[str]) -> Deferred[dict[str, str | None]]:
        """What those people are called who are known: by their name, or their e-mail address."""


class IUsageLatency(Interface):
    """What usage at rest may know besides."""

    def latency(question: UsageQuestion) -> Deferred[Latency | None]:
        """
        How long the answers took that a question is about, estimated from single records; C{None} where it has filters
        that nothing leads to.
        """
