"""Limits go on where they were when a proxy is killed and started anew."""

from __future__ import annotations

import asyncio
import os
from decimal import Decimal

from twisted.trial.unittest import SynchronousTestCase

from ..limitrun.machines import Machine, prepare
from ..limitrun.run import ask
from ..limitrun.upstream import Billing


class RestartTests(SynchronousTestCase):
    def test_killed(self) -> None:
        """Of a rate nothing is there again, of a budget neither, whichever worker is asked."""
        admitted, billed = asyncio.run(self.play(os.path.abspath(self.mktemp())))
        self.assertEqual(admitted, [100, 0])
        # What the other worker had leased and not spent may be there.
        self.assertGreater(billed[0], 0.03)
        self.assertLessEqual(sum(billed), 0.1)

    async def play(self, directory: str) -> tuple[list[int], list[float]]:
        os.makedirs(directory)
        url = f"sqlite:///{directory}/llmproxy.db"
        prepare(url, Decimal("0.1"), hard=False)
        upstream = Billing(1)
        await upstream.start()
        upstream.open.set()
        machine = Machine(os.path.join(directory, "machine"), url, upstream.port, None, 2, 1)
        try:
            await machine.start()
            before = [await ask(machine.port, "rate", f"before-{n}") for n in range(110)]
            while await ask(machine.port, "budget", f"spent-{len(upstream.asked)}") == 200:
                pass
            machine.kill()
            await machine.start()
            again = [await ask(machine.port, "rate", f"after-{n}") for n in range(20)]
            for number in range(10):
                await ask(machine.port, "budget", f"more-{number}")
        finally:
            machine.remove()
            upstream.stop()
            await asyncio.sleep(0.1)
        admitted = [before.count(200), again.count(200)]
        return admitted, [upstream.billed_for("spent"), upstream.billed_for("more")]
