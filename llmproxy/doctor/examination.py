"""The examination: all checks, each within its time, and what they found, without a secret."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen

from ..core.doctor.backlogs import judge_backlogs
from ..core.doctor.certificates import judge_certificates
from ..core.doctor.clock import judge_clock
from ..core.doctor.configuration import judge_configuration
from ..core.doctor.database import judge_database
from ..core.doctor.findings import Finding, fault, skipped, status_of
from ..core.doctor.identityprovider import judge_identity
from ..core.doctor.ports import judge_ports
from ..core.doctor.reach import judge_reach
from ..core.doctor.redisserver import judge_redis
from ..core.doctor.system import judge_system
from ..core.doctor.variables import judge_variables
from ..core.doctor.versions import judge_versions
from .bounded import Late, at_once
from .look_backlogs import look_at_backlogs
from .look_certificates import look_at_certificates
from .look_clock import look_at_clock
from .look_configuration import look_at_configuration, look_at_variables
from .look_database import look_at_database
from .look_identity import look_at_identity
from .look_ports import look_at_ports
from .look_reach import look_at_upstreams
from .look_redis import look_at_redis
from .look_system import look_at_system
from .look_versions import look_at_versions
from .subject import Subject, without_secrets

if TYPE_CHECKING:
    from ..core.masking import Masking

SECONDS = 10.0
"""For each check."""


@frozen
class Check:
    """
    @ivar look: gathers facts; it may block, and raise.
    @ivar judge: what they mean.
    @ivar of_file: it looks at what the file of the APIs names.
    """

    look: Callable[[Subject], Any]
    judge: Callable[[Any], Iterable[Finding]]
    of_file: bool = False


CHECKS: Mapping[str, Check] = {
    "configuration": Check(look_at_configuration, judge_configuration),
    "environment": Check(look_at_variables, judge_variables),
    "ports": Check(look_at_ports, judge_ports),
    "database": Check(look_at_database, judge_database),
    "redis": Check(look_at_redis, judge_redis, True),
    "upstreams": Check(look_at_upstreams, judge_reach, True),
    "identity": Check(look_at_identity, judge_identity, True),
    "certificates": Check(look_at_certificates, judge_certificates, True),
    "system": Check(look_at_system, judge_system),
    "clock": Check(look_at_clock, judge_clock),
    "versions": Check(look_at_versions, judge_versions),
    "backlogs": Check(look_at_backlogs, judge_backlogs, True),
}
"""By their names, in the order in which they are shown."""


@frozen
class Examined:
    """What a check found."""

    check: str
    findings: tuple[Finding, ...]


@frozen
class Examination:
    """@ivar took: seconds."""

    checks: tuple[Examined, ...]
    took: float

    @property
    def status(self) -> int:
        """See L{status_of}."""
        return status_of(each for one in self.checks for each in one.findings)

    def plain(self) -> dict[str, Any]:
        """As values of JSON."""
        checks = {
            each.check: [{"level": one.level, "says": one.says, "mend": one.mend} for one in each.findings]
            for each in self.checks
        }
        return {"status": self.status, "took": round(self.took, 3), "checks": checks}


def examine(
    subject: Subject,
    names: Sequence[str] = (),
    checks: Mapping[str, Check] = CHECKS,
    seconds: float = SECONDS,
) -> Examination:
    """
    Make all checks at once, or those of these names.

    @param seconds: that each has; what takes longer is a fault of its own, and is left alone.
    """
    began = time.monotonic()
    wanted = [name for name in checks if not names or name in names]
    found = at_once([lambda name=name: _made(checks[name], subject) for name in wanted], seconds)  # type: ignore[misc]
    masking = subject.masking()
    examined = []
    for name, each in zip(wanted, found, strict=True):
        findings = _failed(each, seconds) if isinstance(each, Exception) else each
        examined.append(Examined(name, tuple(_masked(one, masking) for one in findings)))
    return Examination(tuple(examined), time.monotonic() - began)


def _masked(finding: Finding, masking: Masking) -> Finding:
    return Finding(finding.level, without_secrets(finding.says, masking), without_secrets(finding.mend, masking))


def _made(check: Check, subject: Subject) -> tuple[Finding, ...]:
    if check.of_file and subject.apis is None:
        return (skipped("nobody can say: the configuration cannot be read (--check configuration says why)"),)
    return tuple(check.judge(check.look(subject)))


def _failed(error: Exception, seconds: float) -> tuple[Finding, ...]:
    if isinstance(error, Late):
        says = f"could not be looked at within {seconds:g} s"
        return (fault(says, "see what does not answer: a name server, a file system of the network"),)
    says = f"could not be looked at: {type(error).__name__}: {error}"
    return (fault(says, "this is a fault of the doctor's: please report it"),)
