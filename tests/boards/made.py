"""The files of deploy/grafana, as they are to be."""

from __future__ import annotations

import json
from pathlib import Path

from .boards import BOARDS
from .grafana import dashboard

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
FOLDER = DEPLOY / "grafana"
RULES = DEPLOY / "prometheus" / "llmproxy.rules.yml"


def made() -> dict[str, str]:
    """Texts by the names of files."""
    return {f"{each.name}.json": json.dumps(dashboard(each), indent=2) + "\n" for each in BOARDS}
