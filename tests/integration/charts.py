"""What Helm makes of C{deploy/helm/llmproxy}, and where programs are that are not Python's."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from .fronts import found
from .processes import ROOT, environment

CHART = Path(ROOT, "deploy", "helm", "llmproxy")
HELM = found("helm")
NO_HELM = "needs helm (go install helm.sh/helm/v3/cmd/helm@v3.19.5)"
KUBERNETES = "1.31.0"

SECRETS: Mapping[str, Any] = {
    "managementToken": {"existingSecret": {"name": "ours"}},
    "encryptionKey": {"existingSecret": {"name": "ours"}},
}
"""The least that has to be said."""

LEAST: Mapping[str, Any] = {"secrets": SECRETS}

POSTGRES: Mapping[str, Any] = {
    "env": {"DB_DRIVER": "postgres"},
    "secrets": {**SECRETS, "databaseUrl": {"existingSecret": {"name": "db"}}},
    "replicaCount": 2,
}

ALL: Mapping[str, Any] = {
    "secrets": {
        **SECRETS,
        "metricsToken": {"existingSecret": {"name": "ours"}},
        "redisUrl": {"existingSecret": {"name": "ours"}},
    },
    "env": {"DB_DRIVER": "postgres", "LLM_PROXY_EVENT_BUS": "redis-streams", "HTTP_CACHE_BACKEND": "redis"},
    "postgresql": {"enabled": True, "auth": {"password": "p+ w@:/%"}},
    "redis": {"external": {"addr": "redis:6379", "password": {"existingSecret": {"name": "redis"}}}},
    "persistence": {"enabled": False},
    "autoscaling": {
        "enabled": True,
        "minReplicas": 2,
        "inFlight": {"target": 50},
        "targetMemoryUtilizationPercentage": 80,
    },
    "ingress": {"enabled": True, "className": "nginx", "hosts": [{"host": "llm.example.com"}]},
    "admin": {
        "enabled": True,
        "ingress": {
            "enabled": True,
            "hosts": [{"host": "admin.example.com", "paths": [{"path": "/", "pathType": "Prefix"}]}],
            "tls": [{"secretName": "cert", "hosts": ["admin.example.com"]}],
        },
    },
    "dispatcher": {"enabled": True},
    "metrics": {
        "serviceMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "grafanaDashboard": {"enabled": True},
    },
    "networkPolicy": {
        "management": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
        "egress": [{"ports": [{"port": 443, "protocol": "TCP"}]}],
    },
    "podAnnotations": {"a": "b"},
    "priorityClassName": "high",
    "imagePullSecrets": [{"name": "registry"}],
    "extraEnv": [{"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "more", "key": "secret"}}}],
    "tolerations": [{"key": "llm", "operator": "Exists"}],
}

MYSQL: Mapping[str, Any] = {
    "secrets": {**SECRETS, "create": True, "data": {}},
    "env": {"DB_DRIVER": "mysql"},
    "mysql": {"enabled": True, "auth": {"existingSecret": {"name": "db"}}, "persistence": {"enabled": False}},
    "management": {"separate": False},
    "existingConfigMap": {"name": "apis", "key": "ours.yaml"},
    "networkPolicy": {"enabled": False},
    "serviceAccount": {"create": False},
    "image": {"digest": "sha256:" + "0" * 64},
    "watch": False,
}

IN_CLEAR: Mapping[str, Any] = {
    "secrets": {"create": True, "data": {"managementToken": "canary-token", "encryptionKey": "canary-key"}},
}

CASES = {"least": LEAST, "postgres": POSTGRES, "all": ALL, "mysql": MYSQL, "in clear": IN_CLEAR}


def helm(*arguments: str, values: Mapping[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
    """Run Helm, with values on its standard input. It has no home, and no cluster."""
    given = ("--values", "-") if values is not None else ()
    nowhere = os.path.join(tempfile.gettempdir(), "llmproxy-no-helm")
    env = environment(HELM_CACHE_HOME=nowhere, HELM_CONFIG_HOME=nowhere, HELM_DATA_HOME=nowhere)
    return subprocess.run(
        (HELM, *arguments, *given),
        input=json.dumps(values),
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def rendered(
    values: Mapping[str, Any], chart: Path = CHART, version: str = KUBERNETES, release: str = "r"
) -> list[dict[str, Any]]:
    """What is made for a release."""
    done = helm("template", release, str(chart), "--kube-version", version, "--namespace", "llm", values=values)
    if done.returncode:
        raise AssertionError(done.stderr)
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def one(objects: list[dict[str, Any]], kind: str, name: str = "r-llmproxy") -> dict[str, Any]:
    """The object of this kind and name."""
    [found] = [each for each in objects if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def workload(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """The Deployment or StatefulSet of the proxy."""
    kinds = [each["kind"] for each in objects if each["metadata"]["name"] == "r-llmproxy"]
    return one(objects, "StatefulSet" if "StatefulSet" in kinds else "Deployment")


def pods(objects: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """The names, labels and descriptions of what becomes pods."""
    for each in objects:
        name = f"{each['kind']} {each['metadata']['name']}"
        if each["kind"] in ("Deployment", "StatefulSet"):
            template = each["spec"]["template"]
            yield name, template["metadata"]["labels"], template["spec"]
        elif each["kind"] == "Pod":
            yield name, each["metadata"]["labels"], each["spec"]
