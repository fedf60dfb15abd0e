"""The examination."""

from __future__ import annotations

import threading

from llmproxy.cli.doctor import CHECKS as NAMES
from llmproxy.core.doctor.findings import fault, ok, warning
from llmproxy.doctor.examination import CHECKS, Check, examine

from .subjects import TOKEN, SubjectTestCase


class ExaminationTests(SubjectTestCase):
    def test_names(self) -> None:
        """The command knows the same checks, in the same order."""
        self.assertEqual(tuple(CHECKS), NAMES)

    def test_all(self) -> None:
        """A whole configuration without a network: every check says something, nothing is a fault of the doctor's."""
        found = examine(self.subject(offline=True))
        self.assertEqual([each.check for each in found.checks], list(CHECKS))
        for each in found.checks:
            self.assertTrue(each.findings or each.check == "backlogs", each)
            for one in each.findings:
                self.assertNotEqual(one.level, "fault", one)
                self.assertNotIn("could not be looked at", one.says)
        self.assertIn(found.status, (0, 1))

    def test_wrong(self) -> None:
        """Of a configuration with nothing right in it all checks say what they can."""
        found = examine(self.subject("surprise: 1", env={"DATABASE_URL": "bogus"}, options={"database": None}))
        self.assertEqual(found.status, 2)
        says = [one.says for each in found.checks for one in each.findings]
        self.assertEqual([each for each in says if "could not be looked at" in each], [])
        unread = {each.check for each in found.checks if "cannot be read" in each.findings[0].says}
        self.assertEqual(unread, {"redis", "upstreams", "identity", "certificates", "backlogs"})

    def test_chosen(self) -> None:
        found = examine(self.subject(), ["versions", "configuration"])
        self.assertEqual([each.check for each in found.checks], ["configuration", "versions"])
        self.assertEqual(list(found.plain()["checks"]), ["configuration", "versions"])

    def test_failing_and_late(self) -> None:
        """A check that fails or hangs is a fault, and keeps none of the others from what they say."""
        release = threading.Event()
        self.addCleanup(release.set)

        def fail(_: object) -> None:
            raise RuntimeError(f"with {TOKEN}")

        checks = {
            "good": Check(lambda _: 1, lambda _: [ok("fine")]),
            "failing": Check(fail, lambda _: []),
            "hanging": Check(lambda _: release.wait(60), lambda _: []),
        }
        found = examine(self.subject(), checks=checks, seconds=3.0)
        good, failing, hanging = (each.findings[0] for each in found.checks)
        self.assertEqual(good, ok("fine"))
        self.assertEqual(failing.says, "could not be looked at: RuntimeError: with [masked]")
        self.assertEqual(hanging.says, "could not be looked at within 3 s")
        self.assertEqual(found.status, 2)

    def test_no_secret(self) -> None:
        """Whatever a check says."""
        checks = {"x": Check(lambda _: 1, lambda _: [warning(f"it is {TOKEN}", f"not {TOKEN}"), fault("a", "b")])}
        self.assertNotIn(TOKEN, repr(examine(self.subject(), checks=checks)))
