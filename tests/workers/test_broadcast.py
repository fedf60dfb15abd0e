"""Tests for L{llmproxy.workers.broadcast}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.message import Project, Token
from llmproxy.workers.broadcast import BroadcastingDirectory

TOKEN = Token("t-1", "00" * 32, "sk-…", "p-1", None)
PROJECT = Project("p-1", "one", {"openai": ("sk-key",)})


class Directory:
    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []

    def token_changed(self, token: Token) -> None:
        self.told.append(("token", token))

    def project_changed(self, project: Project) -> None:
        self.told.append(("project", project))

    def project_tokens_revoked(self, project_id: str) -> None:
        self.told.append(("tokens_of", project_id))

    def person_revoked(self, person_id: str) -> None:
        self.told.append(("person_out", person_id))


class AnnouncingTests(SynchronousTestCase):
    def test_tells_both(self) -> None:
        """A change is effective here before the others hear of it, and they hear no secret."""
        directory, announced = Directory(), []
        announcing = BroadcastingDirectory(
            directory, lambda what, which: announced.append((what, which, len(directory.told)))
        )
        announcing.token_changed(TOKEN)
        announcing.project_changed(PROJECT)
        announcing.project_tokens_revoked("p-1")
        announcing.person_revoked("o-1")
        told = [("token", TOKEN), ("project", PROJECT), ("tokens_of", "p-1"), ("person_out", "o-1")]
        self.assertEqual(directory.told, told)
        others = [("token", "t-1", 1), ("project", "p-1", 2), ("tokens_of", "p-1", 3), ("person_out", "o-1", 4)]
        self.assertEqual(announced, others)
