"""A workspace whose teams are applied to the session's Kubernetes, by the command as it is typed."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml
from typer.testing import CliRunner, Result

from framework.cli.app import app
from framework.tenancy.render import as_yaml
from tests.k8s.teams import PLATFORM, team


@dataclass(frozen=True)
class Place:
    """A workspace and the cluster that its commands are told."""

    workspace: Path
    kubeconfig: Path

    @classmethod
    def made(cls, workspace: Path, kubeconfig: Path, *teams: str) -> "Place":
        (workspace / "k8s/teams").mkdir(parents=True)
        told = PLATFORM.model_dump(mode="json", exclude_none=True)
        (workspace / "k8s/platform.yaml").write_text(yaml.safe_dump(told))
        place = cls(workspace, kubeconfig)
        for name in teams:
            place.write(name)
        return place

    def write(self, name: str, **changes: object) -> None:
        self.file(name).write_text(as_yaml(team(name, **changes)))

    def file(self, name: str) -> Path:
        return self.workspace / f"k8s/teams/{name}.yaml"

    def words(self, command: str, *words: str) -> list[str]:
        layer = [] if "--layer" in words or command in ("explain", "schema", "render") else ["--layer", "kubernetes"]
        where = [] if command in ("explain", "schema", "render") else ["--kubeconfig", str(self.kubeconfig)]
        return ["--workspace", str(self.workspace), "team", command, *words, *layer, *where]

    def run(self, command: str, *words: str) -> Result:
        return CliRunner().invoke(app, self.words(command, *words), catch_exceptions=False)

    def started(self, command: str, *words: str) -> subprocess.Popen[str]:
        """In a process of its own, to be killed."""
        line = [sys.executable, "-u", "-m", "framework.cli", *self.words(command, *words)]
        return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
