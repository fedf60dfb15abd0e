"""Ids of projects and tokens, from what people have at hand; the commands are in L{tests.cli.test_token}."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.faults import NotThere
from llmproxy.cli.lookup import project_id_of, token_ids_of

from ..tables import row

ID = "0f8c6d2e-0000-4000-8000-00000000abcd"


class Api:
    """Answers with projects whose names hold what was asked for, as the server does."""

    def __init__(self, **projects: str) -> None:
        self.projects = projects
        self.asked: list[str] = []

    def pages(self, path: str, *, name: str) -> Iterator[list[dict[str, Any]]]:
        self.asked.append(name)
        for known, project_id in self.projects.items():
            if name.lower() in known.lower():
                yield [{"name": known, "id": project_id}]


class ProjectTests(SynchronousTestCase):
    def test_id(self) -> None:
        """An id needs no look-up."""
        api: Any = Api()
        self.assertEqual((project_id_of(api, ID), project_id_of(api, ID.upper()), api.asked), (ID, ID.upper(), []))

    def test_name(self) -> None:
        """A name is one exactly, whatever else holds it."""
        api: Any = Api(searching="2", Search="3", search="1")
        self.assertEqual(project_id_of(api, "search"), "1")
        for text in ("sear", "SEARCH", ""):
            with row(text):
                self.assertRaises(NotThere, project_id_of, api, text)


class TokenTests(SynchronousTestCase):
    def test_ids(self) -> None:
        """What is no secret is taken for an id, and the server says what it is not."""
        api: Any = Api()
        self.assertEqual(token_ids_of(api, (ID, "x", "sk-short")), [ID, "x", "sk-short"])
