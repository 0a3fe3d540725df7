"""The page for who runs the platform: every command on it is run, in its order, on live servers."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from framework.tenancy.render import as_yaml
from tests.k8s.teams import team
from tests.readme import ROOT, blocks
from tests.servers.kubernetes import Kubernetes

pytestmark = [pytest.mark.e2e, pytest.mark.airflow, pytest.mark.timeout(600)]

PAGE = ROOT / "k8s/OPERATING.md"


def commands() -> list[tuple[int, str]]:
    return [
        (block.line + number, line.removeprefix("$ "))
        for block in blocks("console")
        if block.file == PAGE
        for number, line in enumerate(block.text.splitlines())
    ]


def test_every_line_is_a_command() -> None:
    assert len(commands()) >= 15
    assert all(line.startswith(("teamspark ", "pytest ", "rm ")) for _, line in commands())


def test_the_page(kubernetes: Kubernetes, tmp_path: Path) -> None:
    platform, file = (yaml.safe_load(block.text) for block in blocks("yaml") if block.file == PAGE)
    (tmp_path / "k8s/teams").mkdir(parents=True)
    platform["store_identity"]["file"] = str(tmp_path / "roles.json")
    (tmp_path / "k8s/platform.yaml").write_text(yaml.safe_dump(platform))
    for name in ("flights", "insights"):
        (tmp_path / f"k8s/teams/{name}.yaml").write_text(as_yaml(team(name)))
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "KUBECONFIG": str(kubernetes.plane.kubeconfig),
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__MULTI_TEAM": "True",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    run(["airflow", "db", "migrate"], tmp_path, environment)
    written = tmp_path / "k8s/teams/weather.yaml"
    written.write_text(yaml.safe_dump(file))
    said: dict[int, str] = {}
    for line, command in commands():
        if command.startswith("teamspark team diff"):
            file["quota"]["pods"] = 30
            written.write_text(yaml.safe_dump(file))
        said[line] = run(shlex.split(command), tmp_path, environment)

    told = list(said.values())
    assert ["weather", "yes", "here", "here", "here"] in [line.split() for line in told[2].splitlines()]
    assert "spec.hard.pods: 40 -> 30" in next(text for text in told if "spec.hard.pods" in text)
    assert "CREATE POLICY airflow_dag_processor_weather_connection" in next(
        text for text in told if "max_connections" in text
    )
    assert "refused" in told[-1]
    assert "BREACH" not in told[-1]
    assert ["weather", "yes", "-", "-", "-"] in [line.split() for line in told[-3].splitlines()]


def run(words: list[str], place: Path, environment: dict[str, str]) -> str:
    """What it said; only a difference may end with another code than 0."""
    done = subprocess.run(words, cwd=place, env=environment, capture_output=True, text=True, timeout=180)
    fine = (0, 1) if " ".join(words[1:3]) == "team diff" else (0,)
    assert done.returncode in fine, (words, done.stdout[-3000:], done.stderr[-3000:])
    return done.stdout + done.stderr
