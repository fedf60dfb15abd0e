"""The verdict on ports."""

from __future__ import annotations

from llmproxy.core.doctor.ports import PortFacts, PortState, judge_ports

from .verdicts import VerdictTestCase


def port(state: PortState, holder: str = "", why: str = "") -> tuple[PortFacts, ...]:
    return (PortFacts("--listen", "tcp:8080", state, holder, why),)


class PortsTests(VerdictTestCase):
    def test_table(self) -> None:
        self.judged(
            judge_ports,
            [
                ((), [("skipped", "no address")]),
                (port("free"), [("ok", "--listen tcp:8080: is free")]),
                (
                    port("ours", "python3 (process 12)"),
                    [("ok", "a running llmproxy answers there by python3 (process 12)")],
                ),
                (port("taken", "nginx (process 8)"), [("fault", "is taken by nginx (process 8)")]),
                (port("taken"), [("fault", "by a process that this user cannot see")]),
                (port("denied", why="Permission denied"), [("fault", "may not be used: Permission denied")]),
                (port("absent", why="no such address"), [("fault", "cannot be used: no such address")]),
                (port("stale"), [("note", "nobody listens")]),
                (port("unknown"), [("skipped", "at the start only")]),
                (port("unknown", why="needs certificates"), [("warning", "needs certificates")]),
            ],
        )
