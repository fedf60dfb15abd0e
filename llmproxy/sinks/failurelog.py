"""The lines of the server log about upstreams that cannot be reached or do not answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from twisted.logger import Logger
from zope.interface import implementer

from ..core.causes import PHRASES
from ..core.lograte import LogRate
from ..interfaces import IRecordSink

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..message import Record


@implementer(IRecordSink)
class FailureLog:
    """
    One line for each API, cause and interval.

    @param seconds: the time, of any steady clock.
    @param origins: by the name of an API, where it is: C{https://api.openai.com}.
    @param log: where the lines go; C{None} for the log of this module.
    """

    _log = Logger()

    def __init__(self, seconds: Callable[[], float], origins: Mapping[str, str], log: Logger | None = None) -> None:
        self._error = (self._log if log is None else log).error
        self._seconds = seconds
        self._origins = origins
        self._rate = LogRate()

    def record_batch(self, records: Sequence[Record]) -> None:
        for record in records:
            if record.cause:
                self._say(record)

    def _say(self, record: Record) -> None:
        cause = record.cause
        assert cause
        count = self._rate.due((record.api, cause), self._seconds())
        if count is None:
            return
        self._error(
            "upstream {api} ({origin}) {what} [{cause}; {count} since the last line; request {request_id}]",
            api=record.api,
            origin=self._origins.get(record.api, "?"),
            what=PHRASES[cause],
            cause=cause,
            count=count,
            request_id=record.request_id,
        )
