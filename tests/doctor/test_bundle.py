"""The bundle for those who are to help."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

from llmproxy.core.doctor.cleaning import SET
from llmproxy.core.masking import MASKED
from llmproxy.doctor import bundle
from llmproxy.doctor.bundle import ASKED, Leak, collected, log_names, packed, variables, versions

from .subjects import API, TOKEN, SubjectTestCase

CANARIES = {
    "MANAGEMENT_TOKEN": TOKEN,
    "METRICS_TOKEN": "canary-metrics-token-1",
    "ENCRYPTION_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "DATABASE_URL": "postgresql://user:canary%2Fdb%40pw@127.0.0.1:1/d?application_name=x",
    "REDIS_URL": "redis://:canary-redis-pw@127.0.0.1:1/0",
    "UPSTREAM": "canary-upstream-key-of-no-shape",
    "HOOK": "https://u:canary-hook-pw@127.0.0.1/hook/canary-path",
    "SIGN": "canary-signing-key",
    "OTEL_EXPORTER_OTLP_HEADERS": "api-key=canary-otel-key,x-team=canary-team",
    "HTTPS_PROXY": "http://me:canary-proxy-pw@127.0.0.1:1",
    "LANGFUSE_SECRET_KEY": "canary-langfuse",
    "MY_PASSWORD": "canary-of-another-program",
}

CONFIG = (
    "sinks:\n"
    "  - {name: hook, type: http, url: '${HOOK}', secret: '${SIGN}'}\n"
    "  - {name: lang, type: langfuse, public_key: pk-lf-canary-public, secret_key: '${LANGFUSE_SECRET_KEY}'}\n"
)


class BundleTests(SubjectTestCase):
    def subject_of_all(self, more: str = CONFIG) -> Any:
        """A configuration with a secret in each place that there is for one."""
        api = API[:-1] + ", key: '${UPSTREAM}', own_key_for: [p], headers: {X-Org: canary-header-value}}"
        return self.subject(more, api=api, env=CANARIES, options={"database": None}, offline=True)

    def assert_clean(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            for word in ("canary", TOKEN, CANARIES["ENCRYPTION_KEY"], "canary%2Fdb%40pw", "canary/db@pw"):
                self.assertNotIn(word, text, name)

    def test_no_secret(self) -> None:
        """Whatever is configured, and also where the configuration is wrong, or a log and the proxy repeat it."""
        said = "; ".join(f"{name}={value}" for name, value in CANARIES.items())
        log = f"GET /?key={CANARIES['UPSTREAM']} from 203.0.113.7\n{said}\nAuthorization: Bearer {TOKEN}\n"
        for more in (CONFIG, CONFIG + "surprise: 1\n", CONFIG + "listen: [\n"):
            files = collected(
                self.subject_of_all(more),
                lambda path: {"path": path, CANARIES["UPSTREAM"]: [said]},
                lambda: f'llmproxy_x{{api="{CANARIES["UPSTREAM"]}"}} 1\n',
                {f"{CANARIES['SIGN']}.log": log},
            )
            self.assert_clean(files)
            self.assertNotIn("203.0.113.7", "".join(files.values()))
            self.assertIn(MASKED, files["proxy.json"])

    def test_whole(self) -> None:
        """What helps is in it."""
        files = collected(self.subject(offline=True), lambda path: {"said": path}, lambda: "llmproxy_in_flight 0\n")
        self.assertEqual(
            list(files),
            [
                "README.txt",
                "doctor.json",
                "configuration.json",
                "variables.json",
                "versions.json",
                "system.json",
                "database.json",
                "proxy.json",
                "metrics.txt",
            ],
        )
        said = {name: json.loads(text) for name, text in files.items() if name.endswith(".json")}
        self.assertEqual(
            said["configuration.json"]["configuration"]["apis"]["a"]["base_url"], "https://api.example:4443"
        )
        self.assertEqual(list(said["proxy.json"]), list(ASKED))
        self.assertIn("configuration", said["doctor.json"]["checks"])
        self.assertEqual(said["variables.json"], {"MANAGEMENT_TOKEN": SET})
        self.assertIn("doctor.json          what llmproxy doctor found", files["README.txt"])

    def test_away(self) -> None:
        """A proxy that does not answer, or refuses, is said to."""

        def away(path: str = "") -> str:
            raise OSError("connection refused")

        files = collected(self.subject(offline=True), away, away)
        self.assertEqual(json.loads(files["proxy.json"])["/numbers"], "OSError: connection refused")
        self.assertEqual(files["metrics.txt"], "OSError: connection refused")
        self.assertNotIn("proxy.json", collected(self.subject(offline=True)))

    def test_last_look(self) -> None:
        """If anything slips through, there is no bundle."""
        self.patch(bundle, "cleaned", lambda value, clean: value)
        error = self.assertRaises(Leak, collected, self.subject(offline=True), lambda path: f"it is {TOKEN}")
        self.assertEqual(str(error), "proxy.json")

    def test_variables(self) -> None:
        """Names of ours, and values that nobody keeps secret."""
        env = {"LOG_LEVEL": "debug", "DATABASE_POOL_SIZE": "5", "LISTEN_ADDR": ":8080", "HOME": "/root"}
        self.assertEqual(
            variables(self.subject(env=env)),
            {"DATABASE_POOL_SIZE": "5", "LISTEN_ADDR": SET, "LOG_LEVEL": "debug", "MANAGEMENT_TOKEN": SET},
        )

    def test_versions(self) -> None:
        self.assertIn("attrs", versions()["packages"])

    def test_packed(self) -> None:
        """A folder of its own, of files that only their owner reads."""
        with tarfile.open(fileobj=io.BytesIO(packed({"a.txt": "é", "logs/b": ""}, "f", 1000.0))) as archive:
            self.assertEqual(
                [(each.name, each.mode, each.uid) for each in archive], [("f/a.txt", 0o600, 0), ("f/logs/b", 0o600, 0)]
            )
            content = archive.extractfile("f/a.txt")
            assert content is not None
            self.assertEqual(content.read().decode(), "é")

    def test_log_names(self) -> None:
        self.assertEqual(
            log_names(["/a/x.log", "/b/x.log", "y"]), {"x.log": "/a/x.log", "2-x.log": "/b/x.log", "y": "y"}
        )
