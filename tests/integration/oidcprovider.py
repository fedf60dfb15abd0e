"""A real OpenID provider in a process of its own: the program C{oidc-provider} of npm, on this machine alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from .processes import start, wait_for_text

HOME = Path(tempfile.gettempdir()) / "llmproxy-oidc"
"""Where C{.ci/run} has npm put it."""

SECRET = "a-secret:of/the+client%"


def why_not() -> str:
    """Why there is none here; C{""} if there is one."""
    if not shutil.which("node"):
        return "no node, which the OpenID provider is a program of"
    there = (HOME / "node_modules" / "oidc-provider").exists()
    return "" if there else f"no OpenID provider: npm install --prefix {HOME} oidc-provider"


class OidcProvider:
    """
    @param directory: of its own.
    @param proxy: where browsers reach the proxy.
    @param people: claims by login; it takes any password.
    @ivar issuer: its address.
    """

    def __init__(self, directory: str, proxy: str, people: dict[str, dict[str, Any]]) -> None:
        os.mkdir(directory)
        self._directory = directory
        self.callback = f"{proxy}/admin/signed-in/corp"
        self.cli = f"{proxy}/not-there"
        said = {
            "home": str(HOME),
            "callback": self.callback,
            "device": f"{proxy}/device/callback/corp",
            "post_logout": f"{proxy}/admin/sign-in",
            "backchannel": f"{proxy}/admin/back-channel-logout/corp",
            "cli": self.cli,
            "people": people,
        }
        Path(directory, "settings.json").write_text(json.dumps(said))
        script = str(Path(__file__).with_suffix(".mjs"))
        self.process = start(("node", script, "settings.json"), directory)
        self.errors = Path(directory, "stderr")
        text = wait_for_text(os.path.join(directory, "stdout"), "serves", self.process, 60.0)
        self.issuer = re.search(r"issuer (\S+)", text)[1]  # type: ignore[index]

    def disable(self, login: str) -> None:
        """Somebody is nobody any more."""
        Path(self._directory, f"disabled-{login}").touch()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(10)
