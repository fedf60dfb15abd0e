"""The database of a proxy, with what is kept warm of it and what others change in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed

from ..store.changeapplier import ChangeApplier
from ..store.directory import Directory
from ..store.engine import open_database
from ..store.gathered import Gathered
from ..store.leases import LeasedQuota

if TYPE_CHECKING:
    from ..interfaces import IProjectStore, IUsageReports
    from ..providers.registry import Binding
    from ..store.changes import Changes
    from ..store.upkeep import Upkeep
    from .settings import Settings


class Stored:
    """
    @param binding: which API a key belongs to of which nobody said so.
    @param projects: an application's own; C{None} for those in the database.
    @ivar usage_reports: C{None} if no usage is kept.
    @ivar changes: makes effective here what others have changed.
    @raise ConfigError: see L{open_database}.
    """

    def __init__(
        self, reactor: Any, settings: Settings, binding: Binding, projects: IProjectStore | None = None
    ) -> None:
        self._reactor = reactor
        self.database = open_database(
            reactor,
            settings.database_url,
            encryption_key=settings.encryption_key,
            old_encryption_keys=settings.old_encryption_keys,
            require_encryption=settings.require_encryption,
            pool_size=settings.pool_size,
            binding=binding,
        )
        tokens = self.database.tokens
        self.projects: IProjectStore = self.database.projects if projects is None else projects
        self.quota = LeasedQuota(reactor, self.database)
        self.directory = Directory(
            reactor,
            tokens,
            self.projects,
            quota=self.quota,
            find_token=Gathered(tokens.by_hashes).get,
            find_project=Gathered(self.database.projects.keyed).get if projects is None else None,
        )
        self.changes = ChangeApplier(self.directory, tokens, self.projects, self.quota)
        self._keep_records = settings.apis.ledger.keep_records
        self.usage_reports: IUsageReports | None = None
        if settings.apis.ledger.enabled:
            from ..store.usagequeries import UsageReports

            self.usage_reports = UsageReports(self.database, reactor.seconds)
        self._feed: Changes | None = None
        self._upkeep: Upkeep | None = None
        self._keep_ended = settings.keep_ended_tokens

    def start(self) -> Deferred[None]:
        """Open the database and follow what others change in it; fails with L{ConfigError}."""
        return self.database.start().addCallback(self._follow)

    def count(self) -> None:
        """It is open: uses are written down from now on, and its upkeep begins."""
        self.quota.start()
        if self._upkeep is not None:
            self._upkeep.start()

    def stop_following(self) -> Deferred[Any]:
        """What others change from now on is not noticed, and what has ended is not removed."""
        if self._feed is not None:
            self._feed.stop()
        return succeed(None) if self._upkeep is None else self._upkeep.stop()

    def _follow(self, result: object) -> Deferred[None]:
        from ..store.changes import Changes
        from ..store.upkeep import Upkeep

        self._upkeep = Upkeep(self._reactor, self.database, self._keep_ended, self._keep_records)
        self._feed = Changes(self._reactor, self.database, self.changes.heard_all, self._lost_track)
        return self._feed.start()

    def _lost_track(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.changes.lost_track())
