"""Any change, removal and reordering is found, and said where."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.audit.chain import Anchor, Chain, linked
from llmproxy.core.audit.verify import MOST, OPENED, TORN, Report, Verifier

from ...properties import examples
from .records import chained, record

LINES = [link.line() for link in chained(8)]
ANCHOR = Anchor("c", 8, chained(8)[-1].hash)


def verified(lines: Iterable[bytes], *anchors: Anchor, late: bool = False) -> Report:
    verifier = Verifier(anchors, may_begin_late=late)
    for number, line in enumerate(lines, 1):
        verifier.line(f"line {number}", line)
    return verifier.finish()


def told(report: Report) -> list[tuple[str, str]]:
    return [(problem.where, problem.what) for problem in report.problems]


class VerifyTests(SynchronousTestCase):
    def test_in_order(self) -> None:
        """A log that nobody touched has no problem, and says where its chain has come to."""
        report = verified(LINES, ANCHOR, Anchor("c", 3, chained(3)[-1].hash))
        self.assertEqual((told(report), report.records, report.heads), ([], 8, {"c": ANCHOR}))

    def test_changed(self) -> None:
        """A record that says something else than was written, in place, with its hash made to fit or not."""
        lines = [*LINES]
        lines[3] = lines[3].replace(b"project.create", b"project.delete")
        self.assertEqual(told(verified(lines)), [("line 4", "record 4 was changed")])
        links = chained(8)
        forged = linked(evolve(links[3].record, actor="somebody"), "c", 4, links[3].prev)
        lines[3] = forged.line()
        self.assertEqual(told(verified(lines)), [("line 5", "what stands before record 5 is not what stood there")])

    def test_removed(self) -> None:
        """One, several, the first, and the last ones, which only the anchor tells of."""
        self.assertEqual(told(verified(LINES[:2] + LINES[3:])), [("line 3", "record 3 is missing before record 4")])
        self.assertEqual(
            told(verified(LINES[:2] + LINES[5:])), [("line 3", "records 3 to 5 are missing before record 6")]
        )
        self.assertEqual(told(verified(LINES[2:])), [("line 1", "records 1 to 2 are missing before record 3")])
        self.assertEqual(told(verified(LINES[:6])), [])
        self.assertEqual(told(verified(LINES[:6], ANCHOR)), [("c", "records 7 to 8 are missing at the end")])
        self.assertEqual(told(verified([], ANCHOR)), [("c", "the whole chain is missing, with 8 records")])

    def test_moved(self) -> None:
        """Two that changed places, and one that stands twice."""
        lines = [*LINES[:3], LINES[4], LINES[3], *LINES[5:]]
        self.assertEqual(
            [what for _, what in told(verified(lines))],
            [
                "record 4 is missing before record 5",
                "record 4 stands behind record 5: moved, or repeated",
                "record 5 is missing before record 6",
            ],
        )
        self.assertEqual(len(told(verified([*LINES, LINES[-1]]))), 1)

    def test_rewritten(self) -> None:
        """A chain that was made anew from some point on is whole in itself, and not the one that was anchored."""
        chain = Chain("c")
        forged = chain.linked(record(number, actor_was="me") for number in range(8))
        report = verified([link.line() for link in forged], ANCHOR)
        self.assertEqual(told(report), [("line 8", "record 8 is not the one that was anchored")])

    def test_several_chains(self) -> None:
        """The chains of several processes stand in any order between each other, not within."""
        one, two = chained(3, "one"), chained(3, "two")
        mixed = [one[0], two[0], two[1], one[1], two[2], one[2]]
        self.assertEqual(told(verified(link.line() for link in mixed)), [])
        self.assertEqual(len(told(verified(link.line() for link in [*mixed[:3], *mixed[4:]]))), 1)

    def test_garbage(self) -> None:
        """A line that is no record is a problem, and does not hide what follows."""
        report = verified([LINES[0], b"{", b"", *LINES[1:]])
        self.assertEqual([where for where, _ in told(report)], ["line 2", "line 3"])
        self.assertEqual(report.records, 8)

    def test_crashed(self) -> None:
        """A line that a crash left unfinished is in order if whoever wrote next noted it, and only that one line."""
        chain = Chain("c")
        links = chain.linked([record(1), record(2, TORN, bytes=10), record(3)])
        lines = [links[0].line(), b'{"action":', *(link.line() for link in links[1:])]
        report = verified(lines)
        self.assertEqual((told(report), len(report.notes)), ([], 1))
        self.assertEqual(len(told(verified([lines[0], b"{", *lines[1:]]))), 1)
        self.assertEqual(len(told(verified([*lines, b"{"]))), 1)

    def test_old_files(self) -> None:
        """The oldest files may be gone, as many as the log says that it let go of, and no more."""
        chain = Chain("c")
        opens = [record(number, OPENED, file=number, oldest=max(1, number - 1)) for number in (1, 2, 3, 4)]
        lines = [link.line() for link in chain.linked(opens)]
        report = verified(lines[2:], late=True)
        self.assertEqual((told(report), len(report.notes)), ([], 1))
        self.assertEqual(len(told(verified(lines[2:]))), 1)
        self.assertIn("files 3 to 3 are missing", told(verified(lines[3:], late=True))[0][1])
        self.assertEqual(len(told(verified(LINES[2:], late=True))), 1)

    def test_first_file_anew(self) -> None:
        """A log that was taken away and goes on as if it were new does not pass for one."""
        chain = Chain("c")
        links = chain.linked([record(1), record(2), record(3, OPENED, file=1, oldest=1)])
        self.assertIn("records 1 to 2 are missing", told(verified([links[2].line()], late=True))[0][1])

    def test_bounded(self) -> None:
        """A file of something else altogether is told of in so many lines and a number."""
        report = verified([b"x"] * (MOST + 50))
        self.assertEqual((len(report.problems), report.problem_count), (MOST, MOST + 50))


class TamperingTests(SynchronousTestCase):
    """Whatever is done to the lines of a log that is anchored."""

    @settings(max_examples=examples(120), deadline=None)
    @given(st.integers(0, 7), st.data())
    def test_any_byte(self, line: int, data: st.DataObject) -> None:
        """Any byte that is another one."""
        at = data.draw(st.integers(0, len(LINES[line]) - 1))
        byte = data.draw(st.integers(0, 255))
        assume(byte != LINES[line][at] and byte != 10)
        changed = LINES[line][:at] + bytes([byte]) + LINES[line][at + 1 :]
        assert verified([*LINES[:line], changed, *LINES[line + 1 :]], ANCHOR).problems

    @settings(max_examples=examples(80), deadline=None)
    @given(st.lists(st.integers(0, 7), max_size=12))
    def test_any_selection(self, chosen: list[int]) -> None:
        """Any lines left out, repeated or put in another order."""
        assume(chosen != list(range(8)))
        assert verified([LINES[number] for number in chosen], ANCHOR).problems

    @settings(max_examples=examples(50), deadline=None)
    @given(st.integers(0, 7), st.integers(0, 1000))
    def test_any_cut(self, line: int, at: int) -> None:
        """The file cut off anywhere before its end."""
        cut = LINES[line][: at % len(LINES[line])]
        assert verified([*LINES[:line], *([cut] if cut else [])], ANCHOR).problems
