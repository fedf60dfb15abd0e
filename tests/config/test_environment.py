"""The environment variables."""

from __future__ import annotations

from base64 import b64encode

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.environment import Environment, read_environment, read_storage
from llmproxy.core.audit.settings import AuditOptions
from llmproxy.errors import ConfigError
from tests.integration.certificates import Authority

TOKEN = "m4nagement-t0ken-long-enough"
KEY = b64encode(bytes(range(32))).decode()


class EnvironmentTests(SynchronousTestCase):
    def read(self, files: dict[str, str] | None = None, **env: str) -> Environment:
        def read_secret(path: str) -> str:
            if files is None or path not in files:
                raise FileNotFoundError(2, "No such file or directory", path)
            return files[path]

        return read_environment({"MANAGEMENT_TOKEN": TOKEN, "ENCRYPTION_KEY": KEY} | env, read_secret)

    def problems(self, files: dict[str, str] | None = None, **env: str) -> list[str]:
        return list(self.assertRaises(ConfigError, self.read, files, **env).problems)

    def test_defaults(self) -> None:
        """With only the secrets set everything is as in the reference."""
        found = self.read()
        self.assertEqual((found.management_token, found.storage.encryption_key), (TOKEN, bytes(range(32))))
        self.assertEqual((found.listen, found.storage.database_url), (("tcp:8080",), "sqlite:///./data/llm-proxy.db"))
        self.assertEqual((found.config_path, found.default_api), ("./config/api_providers.yaml", None))
        self.assertEqual((found.metrics_path, found.request_timeout), ("/metrics", None))
        self.assertEqual((found.log_level, found.log_format, found.log_file), ("info", "json", None))
        self.assertEqual(found.warnings, ())

    def test_audit(self) -> None:
        """The audit log is on as in the reference; what is wrong with its variables is told with all the rest."""
        self.assertEqual(self.read().audit, AuditOptions(is_default=True))
        self.assertIsNone(self.read(AUDIT_ENABLED="false").audit)
        (problem,) = self.problems(AUDIT_FSYNC="often")
        self.assertTrue(problem.startswith("AUDIT_FSYNC: expected one of always"), problem)

    def test_ended_tokens(self) -> None:
        """They stay for ever unless a duration is said, which is none in which their uses are still being counted."""
        for text, seconds in (
            ("", None),
            ("0", None),
            ("0d", None),
            ("off", None),
            ("None", None),
            ("90d", 90 * 86400.0),
            ("1h", 3600.0),
        ):
            self.assertEqual(self.read(TOKENS_KEEP_ENDED=text).keep_ended_tokens, seconds, text)
        for text in ("59m", "-1d", "1000 rows", "soon"):
            (problem,) = self.problems(TOKENS_KEEP_ENDED=text)
            self.assertTrue(problem.startswith("TOKENS_KEEP_ENDED: expected a duration"), problem)

    def test_trusted_proxies(self) -> None:
        """Who may say whose request it is; a name of a host is none."""
        found = self.read(TRUSTED_PROXIES="10.0.0.0/8, unix,", FORWARDED_HEADER="Forwarded")
        self.assertEqual((found.trusted_proxies, found.forwarded_header), (("10.0.0.0/8", "unix"), "forwarded"))
        self.assertEqual((self.read().trusted_proxies, self.read().forwarded_header), (None, None))
        self.assertEqual(len(self.problems(TRUSTED_PROXIES="proxy.local", FORWARDED_HEADER="x-real-ip")), 2)

    def test_everything_set(self) -> None:
        """Each variable means what it means in the reference."""
        found = self.read(
            LISTEN_ADDR="[::1]:9000",
            DATABASE_PATH="/var/x.db",
            API_CONFIG_PATH="a.yaml",
            DEFAULT_API_PROVIDER="openai",
            METRICS_PATH="/m",
            REQUEST_TIMEOUT="90s",
            LOG_LEVEL="WARN",
            LOG_FORMAT="text",
            LOG_FILE="x.log",
        )
        self.assertEqual(
            (found.listen, found.storage.database_url), (("tcp6:9000:interface=\\:\\:1",), "sqlite:////var/x.db")
        )
        self.assertEqual((found.config_path, found.default_api), ("a.yaml", "openai"))
        self.assertEqual((found.metrics_path, found.request_timeout), ("/m", 90.0))
        self.assertEqual((found.log_level, found.log_format, found.log_file), ("warn", "console", "x.log"))
        for off in ("0", "f", "False", "NO", "off", "n"):
            self.assertIsNone(self.read(ENABLE_METRICS=off).metrics_path, off)
        for on in ("1", "T", "true", "yes", "On"):
            self.assertEqual(self.read(ENABLE_METRICS=on).metrics_path, "/metrics", on)
        self.assertEqual(self.read(DATABASE_PATH=":memory:").storage.database_url, "sqlite://")

    def test_wrong_values_are_told_all_at_once(self) -> None:
        """Nothing that is not understood becomes a default."""
        found = self.problems(
            MANAGEMENT_TOKEN="",
            ENCRYPTION_KEY="short",
            LISTEN_ADDR="8080",
            DB_DRIVER="oracle",
            ENABLE_METRICS="yes please",
            REQUEST_TIMEOUT="soon",
            LOG_LEVEL="loud",
            LOG_FORMAT="xml",
            REQUIRE_ENCRYPTION_KEY="maybe",
        )
        names = ["MANAGEMENT_TOKEN", "ENCRYPTION_KEY", "LISTEN_ADDR", "DB_DRIVER", "ENABLE_METRICS", "REQUEST_TIMEOUT"]
        for name in [*names, "LOG_LEVEL", "LOG_FORMAT", "REQUIRE_ENCRYPTION_KEY"]:
            self.assertEqual(len([sentence for sentence in found if sentence.startswith(f"{name}: ")]), 1, name)
        self.assertIn("expected a path", self.problems(METRICS_PATH="metrics")[0])

    def test_management_token(self) -> None:
        """Without one nothing starts; a short one is warned of; one that no header can carry is refused."""
        self.assertIn("is required", self.problems(MANAGEMENT_TOKEN=" ")[0])
        self.assertIn("printable ASCII", self.problems(MANAGEMENT_TOKEN="two words")[0])
        (warning,) = self.read(MANAGEMENT_TOKEN="qwe").warnings
        self.assertIn("MANAGEMENT_TOKEN is weak: 3 characters, it can be guessed in about 17,576 attempts", warning)
        self.assertNotIn("qwe", warning)

    def test_metrics_token(self) -> None:
        """The metrics ask for nothing, or for a bearer that can stand in a file, and is no weaker than others."""
        self.assertEqual(self.read().metrics_token, "")
        found = self.read({"/run/t": "scrape-c4n4ry-0123-xyzw\n"}, METRICS_TOKEN_FILE="/run/t")
        self.assertEqual((found.metrics_token, found.warnings), ("scrape-c4n4ry-0123-xyzw", ()))
        self.assertNotIn("c4n4ry", repr(found))
        self.assertIn("METRICS_TOKEN is weak", self.read(METRICS_TOKEN="abc").warnings[0])
        self.assertIn("METRICS_TOKEN: expected printable", self.problems(METRICS_TOKEN="two words")[0])
        self.assertIn("METRICS_TOKEN: the file", self.problems(METRICS_TOKEN_FILE="/none")[0])

    def test_tls(self) -> None:
        """The old variables serve TLS where LISTEN_ADDR says, or nothing is served."""
        certificate, key = Authority(self.mktemp()).issue("localhost")
        files = {"TLS_CERT_FILE": certificate, "TLS_KEY_FILE": key}
        found = self.read(ENABLE_TLS="true", LISTEN_ADDR="127.0.0.1:8443", **files)
        self.assertEqual(found.listen, (f"ssl:8443:interface=127.0.0.1:privateKey={key}:certKey={certificate}",))
        self.assertEqual(found.warnings, ())
        self.assertEqual(len(self.problems(ENABLE_TLS="true")), 2)
        self.assertIn("LISTEN_ADDR: ENABLE_TLS needs", self.problems(ENABLE_TLS="1", LISTEN_ADDR="unix:/x", **files)[0])
        for off in ({}, {"ENABLE_TLS": "false"}):
            found = self.read(**files, **off)
            self.assertEqual(found.listen, ("tcp:8080",), off)
            idle = "TLS_CERT_FILE, TLS_KEY_FILE: without effect here unless there is ENABLE_TLS=true"
            self.assertEqual(found.warnings, (idle,), off)

    def test_encryption_key(self) -> None:
        """A key of the wrong length is told; without one there is a warning, or an error where it is required."""
        self.assertIn("expected base64", self.problems(ENCRYPTION_KEY="not base64!")[0])
        self.assertIn("are stored as they are", self.read(ENCRYPTION_KEY="").warnings[0])
        self.assertIn("is required by", self.problems(ENCRYPTION_KEY="", REQUIRE_ENCRYPTION_KEY="true")[0])

    def test_where_the_key_comes_from(self) -> None:
        """What is wrong with a key is said with the place that it stands in, and what is right knows it for later."""
        found = self.read().storage.encryption_key
        self.assertEqual(getattr(found, "source", ""), "the environment")
        files = {"/run/key": KEY, "/run/bad": "x"}
        found = self.read(files, ENCRYPTION_KEY="", ENCRYPTION_KEY_FILE="/run/key").storage.encryption_key
        self.assertEqual(
            getattr(found, "source", ""), "the file '/run/key', which ENCRYPTION_KEY_FILE names in the environment"
        )
        found = self.read(files, ENCRYPTION_KEY="file:/run/key").storage.encryption_key
        self.assertEqual(getattr(found, "source", ""), "the file '/run/key', named in the environment")
        self.assertIn("it comes from the environment", self.problems(ENCRYPTION_KEY="short")[0])
        problem = self.problems(files, ENCRYPTION_KEY_FILE="/run/key")[0]
        self.assertIn("(ENCRYPTION_KEY in the environment, ENCRYPTION_KEY_FILE in the environment)", problem)

    def test_old_encryption_keys(self) -> None:
        """Old keys are a list; each is checked as the current one, and they are nothing without it."""
        other = b64encode(bytes(32)).decode()
        found = self.read({"/run/old": f"{other}\n{KEY}\n"}, ENCRYPTION_KEY_OLD_FILE="/run/old").storage
        self.assertEqual(found.old_encryption_keys, (bytes(32), bytes(range(32))))
        self.assertEqual(self.read(ENCRYPTION_KEY_OLD=f"{other}, {KEY}").storage.old_encryption_keys[0], bytes(32))
        self.assertEqual(self.read().storage.old_encryption_keys, ())
        self.assertIn("expected base64", self.problems(ENCRYPTION_KEY_OLD=f"{other},x")[0])
        self.assertIn("ENCRYPTION_KEY is not", self.problems(ENCRYPTION_KEY_OLD=other, ENCRYPTION_KEY="")[0])
        self.assertNotIn(other, repr(found))

    def test_pool_size(self) -> None:
        """How many connections a worker opens is bounded, and a number."""
        self.assertEqual(self.read().storage.pool_size, 10)
        self.assertEqual(self.read(DATABASE_POOL_SIZE="25").storage.pool_size, 25)
        for wrong in ("0", "1001", "-1", "ten"):
            self.assertIn("expected a number from 1 to 1000", self.problems(DATABASE_POOL_SIZE=wrong)[0])

    def test_storage_alone(self) -> None:
        """A command that only opens the database needs no management token."""
        found = read_storage({"DATABASE_PATH": "x.db"}, str)
        self.assertEqual((found.database_url, found.encryption_key), ("sqlite:///x.db", None))
        self.assertRaises(ConfigError, read_storage, {"DATABASE_URL": "nothing"}, str)

    def test_secrets_in_files(self) -> None:
        """A secret may be what a file holds, named by a second variable or in place of the secret."""
        files = {"/run/token": f"{TOKEN}-of-file\n", "/run/key": KEY}
        found = self.read(
            files, MANAGEMENT_TOKEN="", MANAGEMENT_TOKEN_FILE="/run/token", ENCRYPTION_KEY="file:/run/key"
        )
        self.assertEqual((found.management_token, found.storage.encryption_key), (f"{TOKEN}-of-file", bytes(range(32))))
        self.assertIn("which of them is meant", self.problems(files, MANAGEMENT_TOKEN_FILE="/run/token")[0])
        missing = self.problems({}, MANAGEMENT_TOKEN="", MANAGEMENT_TOKEN_FILE="/nowhere")
        self.assertEqual(missing, ["MANAGEMENT_TOKEN: the file '/nowhere' cannot be read: No such file or directory"])

    def test_databases(self) -> None:
        """DATABASE_URL is a URL, or what Go's MySQL driver takes; it must agree with DB_DRIVER."""
        url = "postgresql://u:p@h/db"
        self.assertEqual(self.read(DATABASE_URL=url, DB_DRIVER="postgres").storage.database_url, url)
        dsn = "user:p@ss/w@tcp(db:3306)/llm?parseTime=true"
        self.assertEqual(self.read(DATABASE_URL=dsn).storage.database_url, "mysql://user:p%40ss%2Fw@db:3306/llm")
        self.assertEqual(self.problems(DB_DRIVER="postgres"), ["DATABASE_URL: is required with DB_DRIVER=postgres"])
        conflict = self.problems(DATABASE_URL=url, DB_DRIVER="mysql")
        self.assertEqual(conflict, ["DB_DRIVER: is mysql, but DATABASE_URL is one of postgres"])
        (sentence,) = self.problems(DATABASE_URL="oracle://u:s3cret@h/db")
        self.assertNotIn("s3cret", sentence)

    def test_variables_without_effect_are_named(self) -> None:
        """Who brings the reference's environment learns what of it means nothing here, and what to use."""
        idle, old = self.read(REDIS_ADDR="r:6379", GLOBAL_RATE_LIMIT="5", HOME="/root").warnings
        self.assertTrue(idle.startswith("REDIS_ADDR: without effect here unless there is HTTP_CACHE_BACKEND"), idle)
        self.assertTrue(old.startswith("GLOBAL_RATE_LIMIT: without effect here; `usage_limits` of the file"), old)

    def test_redis(self) -> None:
        """The URL and the password may stand in files; without HTTP_CACHE_BACKEND=redis they are warned of."""
        files = {"/run/url": "redis://cache\n", "/run/password": "s3cret\n"}
        places = {"REDIS_CACHE_URL": "file:/run/url", "REDIS_PASSWORD_FILE": "/run/password"}
        found = self.read(files, HTTP_CACHE_BACKEND="redis", **places)
        assert found.cache.redis is not None
        self.assertEqual((found.cache.redis.location.host, found.cache.redis.location.password), ("cache", "s3cret"))
        self.assertNotIn("s3cret", repr(found))
        self.assertEqual(found.warnings, ())
        (problem,) = self.problems(HTTP_CACHE_BACKEND="redis", REDIS_CACHE_URL="http://:s3cret@h")
        self.assertIn("REDIS_CACHE_URL: expected a URL such as redis://host:6379/0", problem)
        self.assertNotIn("s3cret", problem)

    def test_no_secret_is_shown(self) -> None:
        """Formatting what was read shows neither tokens, keys nor passwords."""
        found = self.read(DATABASE_URL="postgresql://u:s3cret@h/db")
        for secret in (TOKEN, KEY, "s3cret", str(bytes(range(32)))):
            self.assertNotIn(secret, repr(found) + str(found.warnings))
