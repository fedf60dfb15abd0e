"""How a board is laid out."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ..documents.metrics import families
from ..tables import row
from .boards import BOARDS, REDIS
from .grafana import WIDTH, dashboard
from .made import FOLDER, made
from .test_rules import NAME, known

COLLECTORS = ("process_", "python_")


class BoardTests(SynchronousTestCase):
    def test_made(self) -> None:
        """The files are what the descriptions say: make boards writes them."""
        self.assertEqual(sorted(path.name for path in FOLDER.iterdir()), sorted(made()))
        for name, text in made().items():
            with row(name):
                self.assertEqual((FOLDER / name).read_text("utf-8"), text)

    def test_panels(self) -> None:
        """None lies on another or beyond the edge; each says what it shows."""
        for board in BOARDS:
            with row(board.name):
                model = dashboard(board)
                taken: set[tuple[int, int]] = set()
                for panel in model["panels"]:
                    place = panel["gridPos"]
                    self.assertLessEqual(place["x"] + place["w"], WIDTH, panel["title"])
                    cells = {
                        (x, y)
                        for x in range(place["x"], place["x"] + place["w"])
                        for y in range(place["y"], place["y"] + place["h"])
                    }
                    self.assertEqual(taken & cells, set(), panel["title"])
                    taken |= cells
                    self.assertTrue(panel["title"])
                    if panel["type"] != "row":
                        self.assertTrue(panel["description"].endswith("."), panel["title"])
                self.assertEqual(len({panel["id"] for panel in model["panels"]}), len(model["panels"]))
        self.assertEqual(len({board.name for board in BOARDS}), len(BOARDS))

    def test_queries(self) -> None:
        """Each asks for series that there are, and for those of the chosen jobs only."""
        there = known()
        for board in BOARDS:
            for panel in (panel for each in board.rows for panel in each.panels):
                for query in panel.queries:
                    with row(board.name, panel.title):
                        names = NAME.findall(query.expression)
                        self.assertEqual({name for name in names if name not in there}, set())
                        if board is not REDIS:
                            self.assertTrue(
                                names or query.expression.find("process_") >= 0 or "python_" in query.expression
                            )
                        self.assertEqual(query.expression.count("{JOB"), query.expression.count("{"))

    def test_all_is_seen(self) -> None:
        """Each metric that a proxy has is on a board."""
        seen = {
            name
            for board in BOARDS
            for each in board.rows
            for panel in each.panels
            for query in panel.queries
            for name in NAME.findall(query.expression)
        }
        for family in families():
            name = f"{family.name}_total" if family.type == "counter" else family.name
            with row(name):
                self.assertTrue(name in seen or f"{name}_bucket" in seen)
