"""The verdict on the environment."""

from __future__ import annotations

from llmproxy.core.doctor.variables import SecretFile, VariablesFacts, judge_variables

from .verdicts import VerdictTestCase

KNOWN = frozenset({"MANAGEMENT_TOKEN", "DATABASE_URL", "HTTP_CACHE_BACKEND", "REDIS_URL", "LISTEN_ADDR"})


class VariablesTests(VerdictTestCase):
    def test_table(self) -> None:
        self.judged(
            judge_variables,
            [
                (
                    VariablesFacts(("MANAGEMENT_TOKEN",), KNOWN),
                    [("ok", "1 variables have an effect")],
                ),
                (
                    VariablesFacts(("GLOBAL_RATE_LIMIT",), KNOWN, idle=("GLOBAL_RATE_LIMIT",)),
                    [("warning", "without effect here: GLOBAL_RATE_LIMIT"), ("ok", "0 variables")],
                ),
                (VariablesFacts(unread=".env"), [("note", ".env is here and is not read"), ("ok", "0")]),
                (
                    VariablesFacts(("LISTEN_ADDR",), KNOWN, dotenv=".env", hidden=("LISTEN_ADDR",)),
                    [("warning", "LISTEN_ADDR: the environment says something else than .env"), ("ok", "1")],
                ),
                (
                    VariablesFacts(files=(SecretFile("MANAGEMENT_TOKEN", "/run/t", 0o640),)),
                    [("warning", "MANAGEMENT_TOKEN: other users of the machine can read /run/t"), ("ok", "0")],
                ),
                (VariablesFacts(files=(SecretFile("X", "/t", 0o600),)), [("ok", "0")]),
                (
                    VariablesFacts(files=(SecretFile("X", "/t", None),)),
                    [("warning", "be looked at"), ("ok", "0")],
                ),
            ],
        )

    def test_misspelt(self) -> None:
        """A name that is nearly one of ours, or begins as ours do, is said with the one that was meant."""
        for name, meant in (
            ("MANAGMENT_TOKEN", "MANAGEMENT_TOKEN"),
            ("DATABSE_URL", "DATABASE_URL"),
            ("HTTP_CACHE_BACKENDS", "HTTP_CACHE_BACKEND"),
            ("REDIS_XYZZY", ""),
        ):
            found = [each for each in judge_variables(VariablesFacts((name,), KNOWN)) if each.level == "warning"]
            self.assertEqual(len(found), 1, name)
            self.assertIn(name, found[0].says)
            self.assertIn(meant or "lists those that there are", found[0].mend)

    def test_not_ours(self) -> None:
        """What belongs to others, to commands, or to Kubernetes, is left alone."""
        names = (
            "PATH",
            "HOME",
            "LANG",
            "REDIS_SERVICE_HOST",
            "REDIS_PORT_6379_TCP",
            "REDIS_PORT",
            "MANAGE_API_BASE_URL",
        )
        self.judged(judge_variables, [(VariablesFacts((*names, "DATABASE_URL_FILE"), KNOWN), [("ok", "0 variables")])])

    def test_many(self) -> None:
        """A long list is cut."""
        names = tuple(f"V{number}" for number in range(12))
        self.judged(judge_variables, [(VariablesFacts(names, frozenset(names)), [("ok", "and 4 more")])])
