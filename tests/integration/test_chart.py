"""The Helm chart: rendered, held against the schemas of Kubernetes, and what it says of the proxy run."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml
from twisted.trial.unittest import SynchronousTestCase

from llmproxy import __version__
from llmproxy.cli.main import cli

from ..tables import row
from .charts import (
    ALL,
    CASES,
    CHART,
    HELM,
    IN_CLEAR,
    LEAST,
    NO_HELM,
    POSTGRES,
    SECRETS,
    helm,
    one,
    pods,
    rendered,
    workload,
)
from .processes import LLMPROXY, MANAGEMENT_TOKEN, ROOT, free_port, start

OF_OPERATORS = ("ServiceMonitor", "PrometheusRule")
"""Kinds that Kubernetes itself does not have."""


def merged(*many: Mapping[str, Any]) -> dict[str, Any]:
    """Values, the later ones above the earlier."""
    result: dict[str, Any] = {}
    for each in many:
        for name, value in each.items():
            below = result.get(name)
            result[name] = merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result


class ChartTests(SynchronousTestCase):
    if not HELM:
        skip = NO_HELM

    def test_lint(self) -> None:
        """Helm finds nothing wrong with it."""
        for name, values in CASES.items():
            with row(name):
                done = helm("lint", "--strict", "--kube-version", "1.31.0", str(CHART), values=values)
                self.assertEqual(done.returncode, 0, done.stdout)

    def test_schemas(self) -> None:
        """Every object is one of Kubernetes, from the oldest version that the chart is for: nothing is misspelled."""
        try:
            checker: Any = importlib.import_module("kubernetes_validate")
        except ImportError:
            self.skipTest("needs kubernetes-validate")
        for name, values in CASES.items():
            for version in ("1.25", "1.31", "1.37"):
                for each in rendered(values, version=f"{version}.0"):
                    if each["kind"] not in OF_OPERATORS:
                        with row(name, each["kind"], each["metadata"]["name"], version):
                            checker.validate(each, version, strict=True)

    def test_versions(self) -> None:
        """The chart is of this version, and so is its image."""
        chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
        self.assertEqual((chart["version"], chart["appVersion"]), (__version__, __version__))
        [container] = workload(rendered(LEAST))["spec"]["template"]["spec"]["containers"]
        self.assertEqual(container["image"], f"llmproxy:{__version__}")

    def test_hardened(self) -> None:
        """No pod is root, can write its root, has a capability, or the token of an account."""
        for name, values in CASES.items():
            for pod, _, spec in pods(rendered(values)):
                with row(name, pod):
                    self.assertEqual(spec["automountServiceAccountToken"], False)
                    self.assertEqual(spec["securityContext"]["runAsNonRoot"], True)
                    self.assertEqual(spec["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
                    for container in spec["containers"]:
                        own = container["securityContext"]
                        self.assertEqual(own["readOnlyRootFilesystem"], True)
                        self.assertEqual(own["allowPrivilegeEscalation"], False)
                        self.assertEqual(own["capabilities"], {"drop": ["ALL"]})

    def test_commands(self) -> None:
        """What the image is started with is a command with these options, and probes ask ports that it has."""
        for name, values in CASES.items():
            for pod, _, spec in pods(rendered(values)):
                [container] = spec["containers"]
                ports = {port["name"] for port in container.get("ports", ())}
                probes = [container[each] for each in container if each.endswith("Probe")]
                asked = {probe[way]["port"] for probe in probes for way in ("httpGet", "tcpSocket") if way in probe}
                with row(name, pod):
                    self.assertLessEqual(asked, ports)
                    if container["image"].startswith("llmproxy"):
                        command, *options = container["args"]
                        found = cli.get_command(None, command)  # type: ignore[arg-type]
                        assert found is not None
                        known = {option for each in found.params for option in each.opts}
                        said = {each.partition("=")[0] for each in options if each.startswith("--")}
                        self.assertLessEqual(said, known)

    def test_long_names(self) -> None:
        """No name is too long, whatever the release: 63 for a label, 52 for a StatefulSet, whose pods get a hash."""
        objects = rendered(merged(ALL, {"persistence": {"enabled": True}}), release="r" * 53)
        for each in objects:
            name = each["metadata"]["name"]
            with row(each["kind"], name):
                self.assertLessEqual(len(name), 52 if each["kind"] == "StatefulSet" else 63)
                labels = each["metadata"]["labels"].values()
                self.assertLessEqual(max(map(len, labels)), 63)
        self.assertEqual(len({(each["kind"], each["metadata"]["name"]) for each in objects}), len(objects))

    def test_selected(self) -> None:
        """Services, budgets and policies mean pods that there are, at ports that those have."""
        for name, values in CASES.items():
            objects = rendered(values)
            known = [(labels, spec) for _, labels, spec in pods(objects)]
            for each in objects:
                selector = each.get("spec", {}).get("selector") or each.get("spec", {}).get("podSelector")
                if each["kind"] not in ("Service", "PodDisruptionBudget", "NetworkPolicy") or selector is None:
                    continue
                wanted = selector.get("matchLabels", selector)
                meant = [spec for labels, spec in known if wanted.items() <= labels.items()]
                with row(name, each["kind"], each["metadata"]["name"]):
                    self.assertEqual(len(meant), 1)
                    ports = {port["name"] for port in meant[0]["containers"][0]["ports"]}
                    targets = {port["targetPort"] for port in each["spec"].get("ports", ())}
                    self.assertLessEqual(targets, ports)

    def test_monitors(self) -> None:
        """What Prometheus' operator is told of finds a service, and the rules and boards are those of deploy/."""
        objects = rendered(ALL)
        services = [each for each in objects if each["kind"] == "Service"]
        for each in (each for each in objects if each["kind"] == "ServiceMonitor"):
            wanted = each["spec"]["selector"]["matchLabels"]
            meant = [one for one in services if wanted.items() <= one["metadata"]["labels"].items()]
            with row(each["metadata"]["name"]):
                self.assertEqual(len(meant), 1)
                [endpoint] = each["spec"]["endpoints"]
                self.assertIn(endpoint["port"], [port["name"] for port in meant[0]["spec"]["ports"]])
        rules = yaml.safe_load(Path(ROOT, "deploy", "prometheus", "llmproxy.rules.yml").read_text())
        self.assertEqual(one(objects, "PrometheusRule")["spec"], rules)
        boards = [each for each in objects if each["kind"] == "ConfigMap" and "-board-" in each["metadata"]["name"]]
        files = sorted(Path(ROOT, "deploy", "grafana").glob("*.json"))
        self.assertEqual(
            sorted(json.dumps(json.loads(text)) for board in boards for text in board["data"].values()),
            sorted(json.dumps(json.loads(path.read_text())) for path in files),
        )

    def test_no_secret_in_clear(self) -> None:
        """A secret stands in Secrets only, and is a file in the pod: neither a variable nor an argument."""
        for each in rendered(IN_CLEAR):
            if each["kind"] != "Secret":
                self.assertNotIn("canary", json.dumps(each))
        url = urlsplit(one(rendered(ALL), "Secret", "r-llmproxy-postgresql")["stringData"]["url"])
        self.assertEqual((unquote(url.password or ""), url.hostname), ("p+ w@:/%", "r-llmproxy-postgresql"))

    def test_ends(self) -> None:
        """Kubernetes waits longer than all that the end of a pod takes, whatever of it was changed."""
        for drain in ({}, {"seconds": 600}, {"preStop": 20, "delay": 30, "margin": 30}, {"preStop": 0, "delay": 0}):
            with row(drain):
                spec = workload(rendered(merged(LEAST, {"drain": drain})))["spec"]["template"]["spec"]
                [container] = spec["containers"]
                waits = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep(0)"])
                before = int(waits[-1].partition("sleep(")[2].rstrip(")"))
                options = dict(each.partition("=")[::2] for each in container["args"])
                takes = before + int(options["--drain"][:-1]) + int(options["--drain-delay"][:-1])
                self.assertGreater(spec["terminationGracePeriodSeconds"], takes)

    def test_upgrade(self) -> None:
        """What Kubernetes lets nobody change is the same in the next version; two pods go one after the other."""
        chart = Path(os.path.abspath(self.mktemp()))
        shutil.copytree(CHART, chart)
        text = (chart / "Chart.yaml").read_text()
        (chart / "Chart.yaml").write_text(text.replace(__version__, "9.9.9"))
        for values in (LEAST, POSTGRES, ALL):
            after = rendered(merged(values, {"config": {"default_api": "anthropic"}}), chart)
            for each in rendered(values):
                with row(each["kind"], each["metadata"]["name"]):
                    if each["kind"] in ("StatefulSet", "Deployment"):
                        now = one(after, each["kind"], each["metadata"]["name"])["spec"]
                        for name in ("selector", "serviceName", "volumeClaimTemplates", "podManagementPolicy"):
                            self.assertEqual(each["spec"].get(name), now.get(name))
                    elif each["kind"] == "Service":
                        self.assertEqual(each["spec"], one(after, "Service", each["metadata"]["name"])["spec"])
        strategy = workload(rendered(merged(POSTGRES, {"persistence": {"enabled": False}})))["spec"]["strategy"]
        self.assertEqual(strategy["rollingUpdate"], {"maxSurge": 1, "maxUnavailable": 0})
        # Two processes at one file of SQLite, on another machine perhaps, are none.
        alone = workload(rendered(merged(LEAST, {"persistence": {"enabled": False}})))
        self.assertEqual(alone["spec"]["strategy"], {"type": "Recreate"})
        self.assertEqual(one(rendered(POSTGRES), "PodDisruptionBudget")["spec"]["maxUnavailable"], 1)

    def test_changed_configuration(self) -> None:
        """A proxy that watches reads the new one itself; one that does not is started again."""
        for watch in (True, False):
            made = [
                workload(rendered(merged(LEAST, {"watch": watch, "config": {"default_api": api}})))["spec"]["template"]
                for api in ("openai", "anthropic")
            ]
            with row(watch):
                self.assertEqual(made[0] == made[1], watch)

    def test_scaled(self) -> None:
        """Who scales is not fought: with an autoscaler the chart says no number of replicas."""
        objects = rendered(ALL)
        scaler = one(objects, "HorizontalPodAutoscaler")["spec"]
        self.assertEqual(scaler["scaleTargetRef"]["kind"], workload(objects)["kind"])
        self.assertNotIn("replicas", workload(objects)["spec"])
        self.assertEqual(scaler["metrics"][0]["pods"]["metric"], {"name": "llmproxy_in_flight"})
        self.assertEqual(
            [each["resource"]["name"] for each in scaler["metrics"] if each["type"] == "Resource"], ["cpu", "memory"]
        )

    def test_network(self) -> None:
        """The APIs are for everybody, management for the release and those who are named."""
        for values, named in ((LEAST, 1), (ALL, 2)):
            rules = one(rendered(values), "NetworkPolicy")["spec"]["ingress"]
            whom = {rule["ports"][0]["port"]: rule.get("from") for rule in rules}
            with row(named):
                self.assertEqual((whom["http"], len(whom["manage"])), (None, named))
        # No ingress leads to management.
        for each in rendered(ALL):
            if each["kind"] == "Ingress":
                self.assertNotIn("-manage", json.dumps(each["spec"]))

    def test_refused(self) -> None:
        """What cannot work, or would lose something, is refused with what to do."""
        redis = {"redis": {"external": {"addr": "redis:6379"}}}
        streams = merged(redis, {"env": {"LLM_PROXY_EVENT_BUS": "redis-streams"}})
        for more, words in (
            ({"replicaCount": 2}, "pods cannot share a file of SQLite"),
            ({"autoscaling": {"enabled": True}}, "pods cannot share a file of SQLite"),
            ({"secrets": {"managementToken": {"existingSecret": {"name": ""}}}}, "secrets.managementToken"),
            ({"secrets": {"encryptionKey": {"existingSecret": {"name": ""}}}}, "secrets.encryptionKey"),
            ({"secrets": {"data": {"managementToken": "x"}}}, "secrets.create is false"),
            ({"secrets": {"create": True, "data": {"managementToken": "x"}}}, "which of them is meant"),
            ({"env": {"MANAGEMENT_TOKEN": "x"}}, "env.MANAGEMENT_TOKEN: a secret would stand"),
            ({"env": {"DATABASE_URL": "x"}}, "env.DATABASE_URL: a secret would stand"),
            ({"env": {"DB_DRIVER": "oracle"}}, "expected sqlite, postgres or mysql"),
            ({"env": {"DB_DRIVER": "postgres"}}, "secrets.databaseUrl.existingSecret, or enable postgresql"),
            ({"env": {"DB_DRIVER": "mysql"}}, "secrets.databaseUrl.existingSecret, or enable mysql"),
            ({"postgresql": {"enabled": True, "auth": {"password": "x"}}}, "needs env.DB_DRIVER postgres"),
            ({"env": {"DB_DRIVER": "postgres"}, "postgresql": {"enabled": True}}, "needs existingSecret.name"),
            ({"postgresql": {"enabled": True}, "mysql": {"enabled": True}}, "one database is enough"),
            ({"secrets": {"databaseUrl": {"existingSecret": {"name": "x"}}}}, "env.DB_DRIVER is sqlite"),
            ({"env": {"LLM_PROXY_EVENT_BUS": "kafka"}}, "expected redis-streams or in-memory"),
            ({"env": {"LLM_PROXY_EVENT_BUS": "redis-streams"}}, "set redis.external.addr"),
            ({"env": {"HTTP_CACHE_BACKEND": "redis"}}, "set redis.external.addr"),
            ({"redis": {"external": {"addr": "redis://u:p@h"}}}, "expected host:port"),
            ({"dispatcher": {"enabled": True}}, "set env.LLM_PROXY_EVENT_BUS to redis-streams"),
            (merged(streams, {"dispatcher": {"enabled": True, "service": "kafka"}}), "expected file, stdout"),
            (merged(streams, {"dispatcher": {"enabled": True, "service": "lunary"}}), "lunary needs a key"),
            (merged(streams, {"dispatcher": {"enabled": True, "replicaCount": 2}}), "dispatcher.replicaCount"),
            ({"drain": {"seconds": 60}, "terminationGracePeriodSeconds": 60}, "running answers would be cut"),
            ({"ingress": {"enabled": True}}, "ingress.hosts: has none"),
            ({"admin": {"enabled": True, "ingress": {"enabled": True, "hosts": [{"host": "x"}]}}}, "admin.ingress.tls"),
            ({"metrics": {"enabled": False, "serviceMonitor": {"enabled": True}}}, "metrics.enabled is false"),
            ({"management": {"port": 8080}}, "management.port: is that of"),
            ({"env": {"LISTEN_ADDR": "8080:"}}, "env.LISTEN_ADDR"),
        ):
            with row(more):
                done = helm(
                    "template", "r", str(CHART), "--kube-version", "1.31.0", values=merged({"secrets": SECRETS}, more)
                )
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(words, done.stderr)


class RunTests(SynchronousTestCase):
    """The proxy as the chart says, with its directories in one of ours."""

    if not HELM:
        skip = NO_HELM

    def setUp(self) -> None:
        self.directory = Path(os.path.abspath(self.mktemp()))
        for name in ("etc/llmproxy", "run/secrets/llmproxy", "var/lib/llmproxy", "run/llmproxy"):
            (self.directory / name).mkdir(parents=True)
        self.port, self.manage = free_port(), free_port()

    def place(self, text: str) -> str:
        """A path of the pod, or a port, as it is here."""
        for path in ("/etc/llmproxy", "/run/secrets", "/var/lib/llmproxy"):
            text = text.replace(path, str(self.directory) + path)
        return text.replace(":8080", f"127.0.0.1:{self.port}").replace(":9090", f"127.0.0.1:{self.manage}")

    def begin(self, values: Mapping[str, Any]) -> subprocess.Popen[str]:
        objects = rendered(values)
        spec = workload(objects)["spec"]["template"]["spec"]
        [container] = spec["containers"]
        content = {"encryption_key": b64encode(os.urandom(32)).decode(), "management_token": MANAGEMENT_TOKEN}
        [projected] = [each["projected"] for each in spec["volumes"] if each["name"] == "secrets"]
        for source in projected["sources"]:
            [item] = source["secret"]["items"]
            (self.directory / "run/secrets/llmproxy" / item["path"]).write_text(content[item["path"]])
        for name, text in one(objects, "ConfigMap")["data"].items():
            (self.directory / "etc/llmproxy" / name).write_text(text)
        env = {each["name"]: self.place(each["value"]) for each in container["env"]}
        process = start((*LLMPROXY, *map(self.place, container["args"])), str(self.directory), **env)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for _ in range(600):
            if process.poll() is not None or self.ask(self.port, "/ready") == 200:
                return process
            time.sleep(0.1)
        raise AssertionError((self.directory / "stderr").read_text())

    def ask(self, port: int, path: str) -> int:
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
        request.add_header("Authorization", f"Bearer {MANAGEMENT_TOKEN}")
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except OSError:
            return 0

    def test_runs(self) -> None:
        """It starts with what it is given, its probes succeed, management is at its own port; SIGTERM ends it well."""
        process = self.begin(merged(LEAST, {"drain": {"delay": 0, "seconds": 5}}))
        self.assertEqual([self.ask(self.port, path) for path in ("/live", "/ready")], [200, 200])
        self.assertEqual(self.ask(self.manage, "/manage/projects"), 200)
        self.assertEqual(self.ask(self.manage, "/metrics"), 200)
        self.assertNotEqual(self.ask(self.port, "/manage/projects"), 200)
        self.assertNotEqual(self.ask(self.port, "/metrics"), 200)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(60), 0)
