"""A look at the configuration and the environment."""

from __future__ import annotations

import os

from attrs import evolve

from llmproxy.core.doctor.variables import SecretFile
from llmproxy.doctor.look_configuration import look_at_configuration, look_at_variables, mode_of

from .subjects import API, SubjectTestCase


class ConfigurationTests(SubjectTestCase):
    def test_mode(self) -> None:
        path = self.file("x", mode=0o640)
        self.assertEqual((mode_of(path), mode_of(f"{path}.none")), (0o640, None))

    def test_whole(self) -> None:
        facts = look_at_configuration(self.subject())
        self.assertEqual((facts.exists, facts.mode, facts.apis, facts.default), (True, 0o600, ("a",), "a"))
        self.assertEqual((facts.problems, facts.idle_keys), ((), ()))

    def test_wrong(self) -> None:
        """What is wrong is there, and so is a key that nobody can use."""
        self.assertIn("surprise", " ".join(look_at_configuration(self.subject("surprise: 1")).problems))
        facts = look_at_configuration(self.subject(api=API[:-1] + ", key: '${K}'}", env={"K": "sk-1234567"}))
        self.assertEqual(facts.idle_keys, ("a",))
        gone = evolve(self.subject(), path=os.path.join(self.directory, "gone.yaml"))
        self.assertFalse(look_at_configuration(gone).exists)

    def test_variables(self) -> None:
        """Names only, what the file of variables says that does not hold, and the files of secrets."""
        secret = self.file("t", "file-secret", mode=0o644)
        dotenv = self.file(".env", "LISTEN_ADDR=:1\nLOG_LEVEL=debug\nMANAGEMENT_TOKEN=other\n")
        env = {"LISTEN_ADDR": ":2", "METRICS_TOKEN_FILE": secret, "EMPTY": ""}
        facts = look_at_variables(self.subject(options={"env": dotenv}, env=env), self.directory)
        self.assertEqual(facts.hidden, ("LISTEN_ADDR", "MANAGEMENT_TOKEN"))
        self.assertEqual((facts.dotenv, facts.unread), (dotenv, ""))
        self.assertNotIn("EMPTY", facts.names)
        self.assertIn("LOG_LEVEL", facts.names)
        self.assertEqual(
            facts.files,
            (SecretFile("the file of variables", dotenv, 0o600), SecretFile("METRICS_TOKEN", secret, 0o644)),
        )

    def test_unread(self) -> None:
        """A file that looks as if it were read."""
        dotenv = self.file(".env", "LISTEN_ADDR=:1\n")
        self.assertEqual(look_at_variables(self.subject(), self.directory).unread, dotenv)
