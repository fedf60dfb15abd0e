"""The subject of an examination."""

from __future__ import annotations

from llmproxy.core.masking import MASKED
from llmproxy.doctor.subject import secrets_of, without_secrets

from ..tables import row
from .subjects import API, TOKEN, SubjectTestCase


class SubjectTests(SubjectTestCase):
    def test_whole(self) -> None:
        """A configuration that is whole has its settings, and no problem."""
        subject = self.subject()
        self.assertEqual(subject.problems, ())
        assert subject.settings is not None and subject.apis is not None
        self.assertEqual(list(subject.apis.apis), ["a"])
        self.assertIn("d.db", subject.database_url)

    def test_partly_wrong(self) -> None:
        """What can be read is there beside what is wrong: the APIs without the variables, and the other way round."""
        subject = self.subject(env={"REDIS_POOL_SIZE": "many", "ENCRYPTION_KEY": "c2hvcnQ="})
        self.assertIsNone(subject.settings)
        self.assertIn("REDIS_POOL_SIZE", " ".join(subject.problems))
        self.assertIsNotNone(subject.apis)
        self.assertIn("ENCRYPTION_KEY", " ".join(subject.problems))
        self.assertIn("d.db", subject.database_url)
        subject = self.subject("surprise: 1")
        self.assertIsNone(subject.apis)
        self.assertIn("surprise", " ".join(subject.problems))
        self.assertIn("d.db", subject.database_url)

    def test_secrets_of_ours_are_wrong(self) -> None:
        """Without a token or with a wrong key the rest is looked at all the same, also where a file says them."""
        dotenv = self.file("v.env", "ENCRYPTION_KEY=c2hvcnQ=\n")
        for env in ({"MANAGEMENT_TOKEN": ""}, {"MANAGEMENT_TOKEN": "", "MANAGEMENT_TOKEN_FILE": "/none"}, {}):
            subject = self.subject(env={"REDIS_URL": "redis://127.0.0.1:1/0", **env}, options={"env": dotenv})
            with row(env):
                self.assertIn("ENCRYPTION_KEY", " ".join(subject.problems))
                assert subject.settings is not None and subject.settings.redis is not None
                self.assertEqual(subject.settings.listen, ("tcp:0:interface=127.0.0.1",))
                self.assertEqual(subject.settings.management_token, "")

    def test_what_the_start_would_find(self) -> None:
        """Also what is wrong beyond the file: an address, a sink."""
        subject = self.subject(options={"listen": ("bogus:1",)})
        self.assertIn("bogus", " ".join(subject.problems))
        subject = self.subject("sinks: [{name: x, type: nothing}]")
        self.assertIn("no sink of type 'nothing'", " ".join(subject.problems))

    def test_missing_files(self) -> None:
        """A file of variables that is not there is a problem among the others."""
        subject = self.subject(options={"env": f"{self.directory}/none.env"})
        self.assertIn("none.env", " ".join(subject.problems))

    def test_secrets(self) -> None:
        """All secrets are known, those in files, in URLs, in headers and behind names too."""
        subject = self.subject(
            "sinks: [{name: h, type: http, url: '${HOOK}', secret: '${SIGN}'}]",
            api=API[:-1] + ", key: '${UP}', own_key_for: [p], headers: {X-Org: org-header-99}}",
            env={
                "HOOK": "https://u:hook-passw0rd@h.example/x",
                "UP": "upstream-key-0815",
                "SIGN": "signing-4711-abcdef",
                "DATABASE_URL": "postgresql://u:data%40base-pw@h/d",
                "METRICS_TOKEN_FILE": self.file("metrics", "metrics-secret-1\n"),
                "HTTPS_PROXY": "http://me:proxy-pw-77@p:3128",
                "ENCRYPTION_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
            },
            options={"database": None},
        )
        known = set(secrets_of(subject))
        for secret in (
            TOKEN,
            "upstream-key-0815",
            "signing-4711-abcdef",
            "hook-passw0rd",
            "org-header-99",
            "data%40base-pw",
            "data@base-pw",
            "metrics-secret-1",
            "proxy-pw-77",
            "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        ):
            self.assertIn(secret, known)
            self.assertNotIn(secret, without_secrets(f"it says {secret}, twice {secret}", subject.masking()))
            self.assertNotIn(secret, repr(subject))

    def test_secrets_of_what_is_wrong(self) -> None:
        """A file that cannot be read as a configuration hides none of the secrets that it names."""
        secret = self.file("k", "from-a-file-4711\n")
        subject = self.subject(
            "surprise: 1",
            api=API[:-1] + f", key: '${{AZURE}}', upstreams: [{{name: x, key: 'file:{secret}'}}]}}",
            env={"AZURE": "b1946ac92492d2347c6235b4d2611184", "OTHER_API_KEY": "not-in-the-file"},
        )
        known = set(secrets_of(subject))
        self.assertIsNone(subject.apis)
        self.assertLessEqual({"b1946ac92492d2347c6235b4d2611184", "from-a-file-4711", "not-in-the-file"}, known)

    def test_without_secrets(self) -> None:
        """Credentials of a URL that nobody knew are masked too."""
        found = without_secrets("postgresql://u:unknown-pw@h/d fails", self.subject().masking())
        self.assertEqual(found, f"postgresql://{MASKED}@h/d fails")
