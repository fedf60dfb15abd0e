"""The counters and logs of a proxy: what every exchange leaves behind when it has ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from ..cache.stats import CacheStatsAggregator, CacheStatsAggregatorConfig
from ..message import Record
from ..middleware.estimate import is_wanted
from ..net.ratelimitedlog import RateLimitedLog
from ..providers.counting import Counting
from ..sinks.accesslog import AccessLog, LogFile
from ..sinks.failurelog import FailureLog
from ..sinks.lag import ReactorLag
from ..sinks.metrics import ProxyMetrics
from ..sinks.publisher import Publisher
from .costs import Costs
from .estimates import Estimates, Then
from .tokenizer import missing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.masking import Masking
    from ..interfaces import ICacheStatsStore, IRecordSink
    from ..ledger.ledger import Ledger
    from ..message import Api
    from .ownparts import OwnParts
    from .settings import Settings


class Metering:
    """
    @param usage: where hits are counted for good; C{None} counts them only where the application does.
    @param masking: knows the secrets of this process.
    @ivar publisher: passes records on, once they are sealed.
    @ivar ledger: keeps them; C{None} for nothing.
    @ivar counting: remembers answers that can be fetched again.
    @ivar estimates: of what answers do not say; C{None} while nobody wants them, or they cannot be made.
    @ivar metrics: what is counted now; see L{replace_metrics}.
    @ivar hits: what counts the hits of tokens; C{None} for nothing.
    @ivar costs: notes in records what their exchanges cost.
    @ivar meter_errors: answers whose usage could not be read.
    @ivar origins: where each API is, for lines about it; filled in as APIs come.
    """

    _log = Logger()

    def __init__(
        self, reactor: Any, settings: Settings, own: OwnParts, usage: ICacheStatsStore | None, masking: Masking
    ) -> None:
        self._reactor = reactor
        self.metrics = ProxyMetrics(time.time()) if own.metrics is None else own.metrics
        self.hits = own.cache_stats_aggregator
        if self.hits is None and usage is not None:
            config = CacheStatsAggregatorConfig(buffer_size=settings.cache.stats_buffer)
            self.hits = CacheStatsAggregator(reactor, usage, config)
        self.origins: dict[str, str] = {}
        self.lag = ReactorLag(reactor)
        self.meter_errors = 0
        self._meter_log = RateLimitedLog(reactor, self._log, "meter")
        self._log_file = None if settings.access_log is None else LogFile(settings.access_log)
        logs = [] if self._log_file is None else [self._access_log(self._log_file, settings)]
        failures = FailureLog(reactor.seconds, self.origins, own.logger)
        hits = [] if self.hits is None else [self.hits]
        sinks: list[IRecordSink] = [self.metrics, *hits, failures, *own.record_sinks, *logs]
        self.costs = Costs(reactor)
        self._masking = masking
        self.ledger: Ledger | None = None
        self.counting = Counting()
        self.estimates: Estimates | None = None
        self.publisher = Publisher(reactor, sinks, masking=None, pending=self.costs.pending)
        self.costs.noted = self.publisher.release
        self._refusals = Publisher(reactor, logs, masking=masking)

    def _access_log(self, file: LogFile, settings: Settings) -> Any:
        return AccessLog(file.write, settings.log_format, settings.log_level)

    def seal(self, record: Record) -> None:
        """
        An exchange has ended: note what it cost, mask its record, and have the ledger keep it. Called before the client
        can know of the end.
        """
        if record.usage is not None or record.saved is not None:
            self.costs.note(record)
        self._masking.record(record)
        if self.ledger is not None and (record.token_id or record.project_id):
            self.ledger.end(record)

    def takers(self, apis: Sequence[Api]) -> tuple[Then, Then]:
        """What seals, and what publishes, the records of C{apis}."""
        seal, publish = self.seal, self.publisher.publish
        if not any(is_wanted(api) for api in apis):
            return seal, publish
        if self.estimates is None:
            why = missing()
            if why:
                self._log.error("estimate: nothing is estimated, what is unknown stays so: {why}", why=why)
                return seal, publish
            self.estimates = Estimates(self._reactor, self.meter_failed)
        return self.estimates.after(seal), self.estimates.after(publish)

    def refused(self, status: int, code: str, client: str, detail: str = "", request_id: str = "") -> None:
        """Count and log what a port turned away before it became an exchange; see L{llmproxy.web.site.ProxySite}."""
        self.metrics.refused(code)
        record = Record(request_id, "", "", client, time.time(), status=status, error_code=code, ended="refused")
        record.details = {"detail": detail}
        self._refusals.publish(record)

    def meter_failed(self, kind: str, why: str) -> None:
        """Count and log an answer whose usage could not be read."""
        self.meter_errors += 1
        self._meter_log.say(kind, why)

    def snapshot(self) -> ProxyMetrics:
        """A copy of the counters, up to the exchange that ended last, gauges read."""
        self.publisher.flush()
        return self.metrics.snapshot()

    def replace_metrics(self, metrics: ProxyMetrics) -> None:
        """Count in C{metrics} from now on; what was counted until now stays where it is."""
        self.publisher.replace(self.metrics, metrics)
        self.metrics = metrics

    def replace_hits(self, hits: CacheStatsAggregator) -> None:
        """Count hits there from now on; what waits where they were counted is written down."""
        former, self.hits = self.hits, hits
        if former is None:
            self.publisher.add(hits)
            return
        self.publisher.replace(former, hits)
        if former.is_running and former is not hits:
            hits.start()
            former.stop().addErrback(lambda reason: self._log.failure("hits could not be written down", reason))

    def dropped_hits(self) -> int:
        """How many hits were counted for no token."""
        return 0 if self.hits is None else self.hits.dropped

    def count(self) -> None:
        """Hits are written down from now on, and the book of prices is read, and what estimates need."""
        self.costs.warm()
        if self.estimates is not None:
            self.estimates.warm()
        if self.hits is not None:
            self.hits.start()

    def stop(self) -> None:
        """Pass on what waits, and at once what comes later."""
        if self.estimates is not None:
            self.estimates.stop()
        self.publisher.stop()
        self._refusals.stop()

    def flush(self) -> None:
        """Pass on what waits."""
        self.publisher.flush()
        self._refusals.flush()

    def stop_hits(self) -> Deferred[None]:
        """Write down what hits are left."""
        return succeed(None) if self.hits is None else self.hits.stop()

    def reopen_logs(self) -> None:
        """Open the file of the access log anew."""
        self.flush()
        if self._log_file is not None:
            self._log_file.reopen()

    def close(self) -> None:
        """No record is passed on any more."""
        self.publisher.close()
        self._refusals.close()
        if self._log_file is not None:
            self._log_file.close()
